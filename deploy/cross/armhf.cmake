# Debian armhf: ARMv7 with an FPU; NEON is looked for at run time (Pi 2 to 4 with a 32-bit system, BeagleBone).
set(TALLY_TRIPLET arm-linux-gnueabihf)
set(TALLY_EMULATOR qemu-arm-static)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
# GCC 12 notes an old ABI change, and sees uninitialised members in moves of std::variant that are not.
set(quiet "-Wno-psabi -Wno-maybe-uninitialized")
set(CMAKE_C_FLAGS_INIT "${quiet}")
set(CMAKE_CXX_FLAGS_INIT "${quiet}")
include(${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake)
