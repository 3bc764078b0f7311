// The JSON that `--json` prints where no Protobuf message exists: objects of integers, strings and
// lists.
//
// Protobuf's printer writes every 64-bit integer as a string. Scripts compare the losses of `fit`,
// which exceed 32 bits on large data sets, so these objects print all integers as plain numbers.
// All values printed here (counts of samples, sums of losses over one epoch) stay far below 2^53,
// where readers that hold numbers as doubles begin to round.

#ifndef TALLY_CLIENT_CLI_JSON_OBJECT_H_
#define TALLY_CLIENT_CLI_JSON_OBJECT_H_

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tally::cli {

// Members in the order of the calls; the caller does not repeat a key.
class JsonObject {
 public:
  JsonObject& Add(std::string_view key, std::string_view value);
  JsonObject& Add(std::string_view key, const char* value) {
    return Add(key, std::string_view(value));
  }
  JsonObject& Add(std::string_view key, const std::string& value) {
    return Add(key, std::string_view(value));
  }
  JsonObject& Add(std::string_view key, const JsonObject& value);
  JsonObject& Add(std::string_view key, const std::vector<JsonObject>& values);
  JsonObject& Add(std::string_view key, const std::vector<std::string>& values);
  JsonObject& Add(std::string_view key, const std::vector<uint64_t>& values);

  // `json` is a JSON value already.
  JsonObject& AddJson(std::string_view key, std::string_view json);

  template <std::same_as<bool> T>
  JsonObject& Add(std::string_view key, T value) {
    return AddJson(key, value ? "true" : "false");
  }
  template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>) JsonObject& Add(std::string_view key,
                                                                             T value) {
    return AddJson(key, std::to_string(value));
  }

  // The object on one line.
  std::string Text() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_JSON_OBJECT_H_
