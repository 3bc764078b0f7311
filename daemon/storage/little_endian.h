// Fixed-width little-endian integers in byte strings, whatever the machine's own order.

#ifndef TALLY_DAEMON_STORAGE_LITTLE_ENDIAN_H_
#define TALLY_DAEMON_STORAGE_LITTLE_ENDIAN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tally::storage {

// Compilers turn the loops into single loads and stores.
template <typename T>
inline void PutLittleEndian(T value, char* out) {
  for (size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<char>((value >> (8 * i)) & 0xff);
}

template <typename T>
inline void AppendLittleEndian(T value, std::string& out) {
  char bytes[sizeof(T)];
  PutLittleEndian(value, bytes);
  out.append(bytes, sizeof(T));
}

template <typename T>
inline void StoreLittleEndian(T value, size_t offset, std::string& out) {
  PutLittleEndian(value, out.data() + offset);
}

// `bytes` holds at least offset + sizeof(T).
template <typename T>
inline T LoadLittleEndian(std::string_view bytes, size_t offset) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    const T byte = static_cast<unsigned char>(bytes[offset + i]);
    value = static_cast<T>(value | (byte << (8 * i)));
  }
  return value;
}

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_LITTLE_ENDIAN_H_
