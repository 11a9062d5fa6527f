# The libFuzzer targets under test/fuzz, with sanitizers.
include(${CMAKE_CURRENT_LIST_DIR}/sanitize.cmake)
set(MOEC_FUZZ ON CACHE BOOL "")
