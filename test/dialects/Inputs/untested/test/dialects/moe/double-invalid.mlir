// One case of two.
func.func @double_c1() { return }
