# AddressSanitizer and UndefinedBehaviorSanitizer over our own code.
set(MOEC_SANITIZE ON CACHE BOOL "")
set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1" CACHE STRING "")
include(${CMAKE_CURRENT_LIST_DIR}/default.cmake)
