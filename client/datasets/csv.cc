#include "client/datasets/csv.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include "client/datasets/byte_source.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 16;
constexpr size_t kLineBytesMax = size_t{8} << 20;  // 1 Mi elements of up to 6 characters fit
constexpr size_t kColumnsMax = (size_t{1} << 20) + 1;
constexpr size_t kShownBytesMax = 40;  // of a bad value, in messages

struct Range {
  int32_t min;
  int32_t max;
};

Range RangeOf(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return {0, 255};
    case ElementType::kInt8:
      return {-128, 127};
    case ElementType::kInt16:
      return {-32768, 32767};
  }
  return {0, 0};
}

// Lines of a file without their LF or CR LF; the last one may lack it.
class LineReader {
 public:
  explicit LineReader(InputFile& file) : file_(file), chunk_(kChunkBytes) {}

  // False at the end. `line` is valid until the next call.
  absl::StatusOr<bool> Next(std::string_view& line) {
    line_.clear();
    for (;;) {
      const std::string_view rest(chunk_text_.data() + used_, chunk_text_.size() - used_);
      const size_t newline = rest.find('\n');
      if (line_.size() + std::min(newline, rest.size()) > kLineBytesMax) {
        return absl::InvalidArgumentError(text::StrCat(
            file_.name(), ":", number_ + 1, ": the line is longer than ", kLineBytesMax, " bytes"));
      }
      line_.append(rest.substr(0, newline));
      if (newline != std::string_view::npos) {
        used_ += newline + 1;
        break;
      }
      TALLY_ASSIGN_OR_RETURN(const bool more, Refill());
      if (!more && line_.empty()) return false;
      if (!more) break;
    }
    if (line_.ends_with('\r')) line_.pop_back();
    ++number_;
    line = line_;
    return true;
  }

  uint64_t number() const { return number_; }  // of the line last read, from 1

 private:
  absl::StatusOr<bool> Refill() {
    TALLY_ASSIGN_OR_RETURN(const size_t n, file_.ReadUpTo(chunk_));
    chunk_text_ = std::string_view(reinterpret_cast<const char*>(chunk_.data()), n);
    used_ = 0;
    return n > 0;
  }

  InputFile& file_;
  std::vector<std::byte> chunk_;
  std::string_view chunk_text_;
  size_t used_ = 0;
  std::string line_;
  uint64_t number_ = 0;
};

std::string_view Trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

void SplitFields(std::string_view line, std::vector<std::string_view>& fields) {
  fields.clear();
  for (;;) {
    const size_t comma = line.find(',');
    fields.push_back(Trim(line.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    line.remove_prefix(comma + 1);
  }
}

// An integer of any size is recognised; one outside int64 counts as the nearest end, which no range
// holds.
std::optional<int64_t> ParseInteger(std::string_view field) {
  int64_t value = 0;
  const char* const end = field.data() + field.size();
  const auto [parsed, error] = std::from_chars(field.data(), end, value);
  if (error == std::errc::invalid_argument || parsed != end) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    return field.front() == '-' ? std::numeric_limits<int64_t>::min()
                                : std::numeric_limits<int64_t>::max();
  }
  return value;
}

class CsvParser {
 public:
  CsvParser(std::string name, ElementType type, uint32_t classes)
      : name_(std::move(name)), type_(type), classes_(classes) {
    dataset_.type = type;
  }

  absl::Status AddLine(std::string_view line, uint64_t number) {
    SplitFields(line, fields_);
    if (number == 1 && std::none_of(fields_.begin(), fields_.end(), [](std::string_view field) {
          return ParseInteger(field).has_value();
        })) {
      // The header, which also says how many columns to expect.
      return CheckColumns(number);
    }
    TALLY_RETURN_IF_ERROR(CheckColumns(number));
    for (size_t column = 0; column + 1 < columns_; ++column) {
      const Range range = RangeOf(type_);
      TALLY_ASSIGN_OR_RETURN(const int64_t value,
                             Value(number, column, "value", range.min, range.max));
      AppendElement(value);
    }
    TALLY_ASSIGN_OR_RETURN(const int64_t label,
                           Value(number, columns_ - 1, "label", 0, int64_t{classes_} - 1));
    dataset_.labels.push_back(static_cast<uint32_t>(label));
    if (dataset_.rows.size() > kDatasetBytesMax) {
      return absl::InvalidArgumentError(text::StrCat(name_, ":", number, ": more than ",
                                                     kDatasetBytesMax,
                                                     " bytes of samples; split the data set"));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Dataset> Finish() && {
    if (dataset_.labels.empty()) {
      return absl::InvalidArgumentError(text::StrCat(name_, ": the file holds no samples"));
    }
    dataset_.shape = {static_cast<uint32_t>(columns_ - 1)};
    return std::move(dataset_);
  }

 private:
  absl::Status CheckColumns(uint64_t number) {
    if (columns_ == 0 && (fields_.size() < 2 || fields_.size() > kColumnsMax)) {
      return absl::InvalidArgumentError(
          text::StrCat(name_, ":", number, ": ", fields_.size(), " columns, expected 2 to ",
                       kColumnsMax, ": values separated by commas, the label last"));
    }
    if (columns_ == 0) columns_ = fields_.size();
    if (fields_.size() == columns_) return absl::OkStatus();
    return absl::InvalidArgumentError(text::StrCat(name_, ":", number, ": ", fields_.size(),
                                                   " columns, expected ", columns_,
                                                   " as in the first line"));
  }

  absl::StatusOr<int64_t> Value(uint64_t number, size_t column, std::string_view what, int64_t min,
                                int64_t max) const {
    const std::string_view field = fields_[column];
    const std::optional<int64_t> value = ParseInteger(field);
    if (value.has_value() && *value >= min && *value <= max) return *value;
    return absl::InvalidArgumentError(text::StrCat(
        name_, ":", number, ": column ", column + 1, ": ", what, " \"",
        field.substr(0, kShownBytesMax), "\", expected an integer from ", min, " to ", max));
  }

  void AppendElement(int64_t value) {
    const auto bits = static_cast<uint16_t>(value);
    dataset_.rows.push_back(static_cast<std::byte>(bits & 0xff));
    if (type_ == ElementType::kInt16) dataset_.rows.push_back(static_cast<std::byte>(bits >> 8));
  }

  std::string name_;
  ElementType type_;
  uint32_t classes_;
  size_t columns_ = 0;  // 0 until the first line
  std::vector<std::string_view> fields_;
  Dataset dataset_;
};

}  // namespace

absl::StatusOr<Dataset> ReadCsv(const std::string& path, ElementType type, uint32_t classes) {
  TALLY_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  LineReader lines(file);
  CsvParser parser(path, type, classes);
  std::string_view line;
  for (;;) {
    TALLY_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) break;
    TALLY_RETURN_IF_ERROR(parser.AddLine(line, lines.number()));
  }
  return std::move(parser).Finish();
}

}  // namespace tally
