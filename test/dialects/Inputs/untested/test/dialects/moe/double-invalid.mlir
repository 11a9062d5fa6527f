// One case of two, and a case that expects something else than its name says.
func.func @double_c1() { // expected-error {{C1: expected a double, got}}
  return
}

// -----

func.func @double_c3() { // expected-error {{C1: expected a double, got}}
  return
}
