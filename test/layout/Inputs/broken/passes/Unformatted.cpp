// Badly formatted.
int   x ;
