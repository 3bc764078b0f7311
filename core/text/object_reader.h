// Strict reading of a text::Map: each key is asked for by name and range, and what was never asked
// for is an unknown key.

#ifndef TALLY_CORE_TEXT_OBJECT_READER_H_
#define TALLY_CORE_TEXT_OBJECT_READER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/text/value.h"

namespace tally::text {

// Usage: construct, call the readers (each leaves its output alone when the key is missing), then
// Finish(). The first error wins; later calls do nothing. `path` is the dotted path of the map
// itself
// ("" for the document), used in messages: "tallyd.yaml:14: limits.rows: ...".
class ObjectReader {
 public:
  ObjectReader(const Value& value, std::string path);

  void Bool(std::string_view key, bool& out);
  // Integers also accept a quoted decimal string: Protobuf's JSON prints 64-bit integers so.
  void Unsigned(std::string_view key, uint64_t min, uint64_t max, uint64_t& out);
  void Unsigned(std::string_view key, uint32_t min, uint32_t max, uint32_t& out);
  void Signed(std::string_view key, int64_t min, int64_t max, int64_t& out);
  void String(std::string_view key, std::string& out);
  // `names[i]` stands for enum value i; the error lists them.
  template <typename E>
  void Enum(std::string_view key, const std::vector<std::string_view>& names, E& out) {
    size_t index = 0;
    if (EnumIndex(key, names, index)) out = static_cast<E>(index);
  }
  // Sizes: integer bytes, or "64 KiB", "4MiB", "1 GiB". Durations: "50 ms", "2s", "5 min", "0".
  void SizeBytes(std::string_view key, uint64_t min, uint64_t max, uint64_t& out);
  void DurationMs(std::string_view key, uint64_t min, uint64_t max, uint64_t& out_ms);
  // Nested values; the callback gets a reader whose Finish() is called for it.
  void Object(std::string_view key, const std::function<void(ObjectReader&)>& read);
  void ObjectList(std::string_view key, size_t min_items, size_t max_items,
                  const std::function<void(size_t index, ObjectReader&)>& read);
  void UnsignedList(std::string_view key, size_t max_items, uint32_t min, uint32_t max,
                    std::vector<uint32_t>& out);
  void SignedList(std::string_view key, size_t max_items, int32_t min, int32_t max,
                  std::vector<int32_t>& out);
  void StringList(std::string_view key, size_t max_items, std::vector<std::string>& out);

  bool Has(std::string_view key) const;
  // Adds an error if `key` is missing.
  void Require(std::string_view key);
  // An error of the caller's own about `key` (place and path are added).
  void Fail(std::string_view key, std::string_view what);
  bool ok() const { return status_.ok(); }

  // The first error, or an error for the first key nobody asked for, with the nearest valid key.
  absl::Status Finish();

 private:
  bool EnumIndex(std::string_view key, const std::vector<std::string_view>& names, size_t& index);
  const Value* Find(std::string_view key);
  // The list under `key`; null if missing or after an error.
  const List* ScalarList(std::string_view key, size_t max_items);
  void FailAt(const Value& value, std::string_view key, std::string_view what);

  const Value& value_;
  std::string path_;
  std::vector<std::string> known_;
  absl::Status status_;
};

// Insertions, deletions and substitutions that turn `a` into `b` (Levenshtein).
size_t EditDistance(std::string_view a, std::string_view b);

// The candidate nearest to `word` by edit distance, or "" if none is near (distance > 1 + length /
// 3).
std::string NearestName(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace tally::text

#endif  // TALLY_CORE_TEXT_OBJECT_READER_H_
