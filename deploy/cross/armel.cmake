# Debian armel: ARMv5TE without an FPU (Pi Zero and 1, older gateways).
set(TALLY_TRIPLET arm-linux-gnueabi)
set(CMAKE_SYSTEM_PROCESSOR armv5tel)
set(CMAKE_C_FLAGS_INIT "-march=armv5te -mfloat-abi=soft -Wno-psabi")
set(CMAKE_CXX_FLAGS_INIT "-march=armv5te -mfloat-abi=soft -Wno-psabi")
include(${CMAKE_CURRENT_LIST_DIR}/debian-cross.cmake)
