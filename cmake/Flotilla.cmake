# Build rules shared by all folders: compiler flags, sanitizers, and the functions that turn a folder
# into a library with its unit tests, and a main into a program.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
# Small rather than unrolled: the manager waits most of its life, its own time is a few per cent of a boot, and
# half of the memory it idles in is its program. -Os halves that; what nobody calls is left out.
set(CMAKE_C_FLAGS_RELEASE "-Os -DNDEBUG -ffunction-sections -fdata-sections")
set(CMAKE_CXX_FLAGS_RELEASE "-Os -DNDEBUG -ffunction-sections -fdata-sections")
set(CMAKE_EXE_LINKER_FLAGS_RELEASE "-Wl,--gc-sections")
# Relative relocations in an eighth of the place, where linker and libc know them.
include(CheckLinkerFlag)
check_linker_flag(CXX "-Wl,-z,pack-relative-relocs" FLOTILLA_HAS_RELR)
if(FLOTILLA_HAS_RELR)
  string(APPEND CMAKE_EXE_LINKER_FLAGS_RELEASE " -Wl,-z,pack-relative-relocs")
endif()
# For the few files where time goes by the number of units.
set(FLOTILLA_FAST "$<$<CONFIG:Release>:-O2>")

set(FLOTILLA_SANITIZE "" CACHE STRING "Sanitizers for everything but the post-fork child, e.g. address,undefined")
set(FLOTILLA_SKIP "" CACHE STRING "Regex of file names left out of every folder's sources and tests")
option(FLOTILLA_TESTS "Build the tests and benchmarks (needs GoogleTest)" ON)
option(FLOTILLA_FUZZ "Build the libFuzzer targets (needs clang)" OFF)

find_program(CCACHE ccache)
if(CCACHE)
  # Several build folders of one tree share their objects: the folder's name is no part of the key.
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_SLOPPINESS=time_macros ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_C_COMPILER_LAUNCHER})
endif()

add_compile_options(
  -Wall -Wextra -Wshadow -Wconversion -Werror
  "$<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>"
  "$<$<CONFIG:Debug>:-g1>"
)
# Sanitizers at -O0 make programs too slow to test, at -O1 they take half as long again to compile.
set(FLOTILLA_SANITIZE_LEVEL -Og CACHE STRING "Optimisation of what is built with sanitizers")
if(FLOTILLA_SANITIZE)
  add_compile_options("$<$<CONFIG:Debug>:${FLOTILLA_SANITIZE_LEVEL}>")
endif()
set(FLOTILLA_TEST_OPTIONS "$<$<CONFIG:Debug>:-O0>")
# UBSan's checks in the tests' own code (not in what they test) cost a quarter of their compile time.
if(FLOTILLA_SANITIZE MATCHES undefined)
  list(APPEND FLOTILLA_TEST_OPTIONS -fno-sanitize=undefined)
endif()
# g++ 12 reports uninitialised and overflowing std:: internals that are neither once sanitizers are on.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>
                      $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
  if(FLOTILLA_SANITIZE)
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overflow>
                        $<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds>
                        $<$<COMPILE_LANGUAGE:CXX>:-Wno-tsan>)
  endif()
endif()
add_link_options(-Wl,--as-needed)
if(FLOTILLA_SANITIZE)
  add_compile_options(-fsanitize=${FLOTILLA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FLOTILLA_SANITIZE})
endif()
if(FLOTILLA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# flotilla_library(NAME [DEPENDS public...] [PRIVATE private...])
# The folder's *.cc and *.S are the library flotilla_NAME; its *_test.cc are the program NAME_test.
# DEPENDS are other folders (or imported targets): these link lines are the law about who may use whom.
function(flotilla_library name)
  cmake_parse_arguments(arg "" "" "DEPENDS;PRIVATE;TEST_DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc *.c *.S)
  file(GLOB tests CONFIGURE_DEPENDS *_test.cc)
  list(REMOVE_ITEM sources ${tests})
  if(FLOTILLA_SKIP)
    list(FILTER sources EXCLUDE REGEX "/(${FLOTILLA_SKIP})$")
    list(FILTER tests EXCLUDE REGEX "/(${FLOTILLA_SKIP})$")
  endif()
  set(target flotilla_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${arg_DEPENDS} PRIVATE ${arg_PRIVATE})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} INTERFACE ${arg_DEPENDS})
  endif()
  if(tests AND FLOTILLA_TESTS)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${target} ${arg_TEST_DEPENDS} GTest::gmock GTest::gtest_main)
    target_compile_options(${name}_test PRIVATE ${FLOTILLA_TEST_OPTIONS})
    set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name}_test COMMAND ${name}_test)
    set_tests_properties(${name}_test PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()

# flotilla_program(NAME [DEPENDS ...] SOURCES ...): a main in build/<preset>/bin.
function(flotilla_program name)
  cmake_parse_arguments(arg "" "" "DEPENDS;SOURCES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS})
  if(NOT TARGET programs)
    add_custom_target(programs)
  endif()
  add_dependencies(programs ${name})
endfunction()

# flotilla_fuzz(NAME SOURCE DEPENDS ...): a libFuzzer target; run briefly as a test, at length by `./test full`.
function(flotilla_fuzz name source)
  cmake_parse_arguments(arg "" "" "DEPENDS" ${ARGN})
  if(NOT FLOTILLA_FUZZ)
    return()
  endif()
  add_executable(${name} ${source})
  if(NOT TARGET fuzz_targets)
    add_custom_target(fuzz_targets)
  endif()
  add_dependencies(fuzz_targets ${name})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  set(runs 20000)
  if(DEFINED ENV{FLOTILLA_FUZZ_RUNS})
    set(runs $ENV{FLOTILLA_FUZZ_RUNS})
  endif()
  add_test(NAME ${name} COMMAND ${name} -runs=${runs} -max_len=8192 -timeout=10)
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 3600)
endfunction()
