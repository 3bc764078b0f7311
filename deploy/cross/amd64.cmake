# Debian amd64, from a sysroot like the boards, so that the packages depend on nothing that this machine has installed.
set(TALLY_TRIPLET x86_64-linux-gnu)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
include(${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake)
