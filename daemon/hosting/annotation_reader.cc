#include "daemon/hosting/annotation_reader.h"

#include <charconv>
#include <string>

#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::hosting {

absl::StatusOr<std::string_view> ReadText(const Annotations& annotations, std::string_view key) {
  const auto found = annotations.find(std::string(key));
  if (found == annotations.end()) {
    return absl::DataLossError(text::StrCat("checkpoint lacks the annotation \"", key, "\""));
  }
  return std::string_view(found->second);
}

absl::StatusOr<uint64_t> ReadNumber(const Annotations& annotations, std::string_view key) {
  TALLY_ASSIGN_OR_RETURN(const std::string_view text, ReadText(annotations, key));
  uint64_t number = 0;
  if (!ParseDecimal(text, number)) {
    return absl::DataLossError(text::StrCat("checkpoint annotation \"", key, "\" is \"", text,
                                            "\", expected a decimal number"));
  }
  return number;
}

bool ParseDecimal(std::string_view text, uint64_t& number) {
  if (text.empty() || (text[0] == '0' && text.size() > 1)) return false;
  const char* end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, number);
  return result.ec == std::errc() && result.ptr == end;
}

}  // namespace tally::hosting
