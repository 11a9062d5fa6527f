// Two errors, one of them tested.
static void verify() {
  emitOpError() << "C1: expected a double, got " << value;
  emitOpError()
      << "C2: expected one half, got " << value;
}
