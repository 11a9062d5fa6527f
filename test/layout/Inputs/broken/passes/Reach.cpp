// Reaches up.
#include "lowering/Target.h"
