# Debian arm64: ARMv8; dot products are looked for at run time (Pi 3 to 5, most gateways of today).
set(TALLY_TRIPLET aarch64-linux-gnu)
set(TALLY_EMULATOR qemu-aarch64-static)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake)
