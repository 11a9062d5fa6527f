# The runtime and its tools alone: builds without LLVM or MLIR installed.
include(${CMAKE_CURRENT_LIST_DIR}/default.cmake)
set(MOEC_RUNTIME_ONLY ON CACHE BOOL "")
