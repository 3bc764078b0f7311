# Debian armel: ARMv5TE without an FPU (Pi Zero and 1, older gateways).
set(TALLY_TRIPLET arm-linux-gnueabi)
set(TALLY_EMULATOR qemu-arm-static)
set(CMAKE_SYSTEM_PROCESSOR armv5tel)
# GCC 12 notes an old ABI change, and sees uninitialised members in moves of std::variant that are not.
set(quiet "-Wno-psabi -Wno-maybe-uninitialized")
set(CMAKE_C_FLAGS_INIT "-march=armv5te -mfloat-abi=soft ${quiet}")
set(CMAKE_CXX_FLAGS_INIT "-march=armv5te -mfloat-abi=soft ${quiet}")
include(${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake)
