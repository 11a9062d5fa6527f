# The build that README's commands make: cmake -C tools/presets/default.cmake -S . -B build
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
# Files share translation units: all of them are compiled in half the time. While working on a few, -D CMAKE_UNITY_BUILD=OFF is quicker.
set(CMAKE_UNITY_BUILD ON CACHE BOOL "")
set(CMAKE_C_COMPILER clang-22 CACHE STRING "")
set(CMAKE_CXX_COMPILER clang++-22 CACHE STRING "")
set(CMAKE_EXE_LINKER_FLAGS "-fuse-ld=lld-22" CACHE STRING "")
set(CMAKE_SHARED_LINKER_FLAGS "-fuse-ld=lld-22" CACHE STRING "")
find_program(CCACHE ccache)
if(CCACHE)
  # What it must not mind for files with precompiled headers to be found again.
  set(launcher env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher} CACHE STRING "")
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher} CACHE STRING "")
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG" CACHE STRING "")
