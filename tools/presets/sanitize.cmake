# AddressSanitizer and UndefinedBehaviorSanitizer over our own code.
set(MOEC_SANITIZE ON CACHE BOOL "")
set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1 -DNDEBUG" CACHE STRING "") # the assertions of packaged headers are not ours to test
include(${CMAKE_CURRENT_LIST_DIR}/default.cmake)
