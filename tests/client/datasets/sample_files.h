// Bytes of data files, made without the code under test.

#ifndef TALLY_TESTS_CLIENT_DATASETS_SAMPLE_FILES_H_
#define TALLY_TESTS_CLIENT_DATASETS_SAMPLE_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace tally {

// An IDX header and, behind it, `payload`.
std::string IdxBytes(uint8_t type, const std::vector<uint32_t>& dimensions,
                     const std::string& payload);

// n images of 2 x 3 uint8, element i being i mod 251; and n labels i mod 10.
std::string SmallImages(uint32_t n);
std::string SmallLabels(uint32_t n);

std::string Gzip(const std::string& bytes);
std::string Xz(const std::string& bytes);

// n records of CIFAR-10, labels i mod 10, pixels (i + j) mod 256.
std::string CifarRecords(uint32_t n);

}  // namespace tally

#endif  // TALLY_TESTS_CLIENT_DATASETS_SAMPLE_FILES_H_
