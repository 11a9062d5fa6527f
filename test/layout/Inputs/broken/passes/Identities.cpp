// Names what it should not.
// As in Mixtral, for CUDA.

bool isMixtral = false;
bool isCuda = false;
