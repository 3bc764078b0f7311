#include "tests/daemon/e2e/bad_checkpoints.h"

namespace tally::e2e {

std::string FlipBit(std::string bytes, size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 0x04);
  return bytes;
}

std::string ForeignSafetensors() {
  std::string header = R"({"weight":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}})";
  while ((header.size() + 8) % 8 != 0) header += ' ';
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  return file + header + "ab";
}

std::string WithFloatTensors(std::string checkpoint) {
  const std::string wanted = "\"dtype\":\"I16\"";
  for (size_t at = checkpoint.find(wanted); at != std::string::npos;
       at = checkpoint.find(wanted, at)) {
    checkpoint.replace(at, wanted.size(), "\"dtype\":\"F16\"");
  }
  return checkpoint;
}

}  // namespace tally::e2e
