# ThreadSanitizer over the runtime: its thread pool, and the devices and sessions that use it.
set(MOEC_SANITIZE_THREADS ON CACHE BOOL "")
set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1 -DNDEBUG" CACHE STRING "")
include(${CMAKE_CURRENT_LIST_DIR}/runtime-only.cmake)
