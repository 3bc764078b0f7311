// Reading the annotations of a checkpoint: strictly, since a program of ours wrote them.

#ifndef TALLY_DAEMON_HOSTING_ANNOTATION_READER_H_
#define TALLY_DAEMON_HOSTING_ANNOTATION_READER_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/checkpoint/checkpoint.h"

namespace tally::hosting {

// DATA_LOSS if the annotation is missing. The text is borrowed from `annotations`.
absl::StatusOr<std::string_view> ReadText(const Annotations& annotations, std::string_view key);

// DATA_LOSS if the annotation is missing or is no decimal number of 64 bits.
absl::StatusOr<uint64_t> ReadNumber(const Annotations& annotations, std::string_view key);

// The whole of `text` as a decimal number without sign, spaces or leading zeros.
bool ParseDecimal(std::string_view text, uint64_t& number);

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_ANNOTATION_READER_H_
