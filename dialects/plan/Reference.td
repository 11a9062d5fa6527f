// Everything of the plan dialect, for its reference page: code for functions is generated beside that for steps.
include "dialects/plan/Plan.td"
include "dialects/plan/FunctionOps.td"
