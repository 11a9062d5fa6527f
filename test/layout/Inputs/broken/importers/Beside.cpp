// Includes what lies beside it.
#include "Beside.h"
