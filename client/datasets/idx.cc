#include "client/datasets/idx.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "client/datasets/byte_source.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

constexpr uint32_t kDimensionMax = 65536;
constexpr uint64_t kRowElementsMax = uint64_t{1} << 20;
constexpr uint32_t kRowDimensionsMax = 4;

struct IdxHeader {
  ElementType type = ElementType::kUint8;
  std::vector<uint32_t> dimensions;
};

std::string HexByte(std::byte value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const size_t v = std::to_integer<size_t>(value);
  return {'0', 'x', kDigits[v >> 4], kDigits[v & 15]};
}

std::optional<ElementType> TypeOf(std::byte code) {
  switch (std::to_integer<int>(code)) {
    case 0x08:
      return ElementType::kUint8;
    case 0x09:
      return ElementType::kInt8;
    case 0x0B:
      return ElementType::kInt16;
    default:
      return std::nullopt;
  }
}

std::string_view UnsupportedTypeName(std::byte code) {
  switch (std::to_integer<int>(code)) {
    case 0x0C:
      return " (int32)";
    case 0x0D:
      return " (32-bit floating point)";
    case 0x0E:
      return " (64-bit floating point)";
    default:
      return "";
  }
}

uint32_t BigEndian32(std::span<const std::byte> b) {
  return std::to_integer<uint32_t>(b[0]) << 24 | std::to_integer<uint32_t>(b[1]) << 16 |
         std::to_integer<uint32_t>(b[2]) << 8 | std::to_integer<uint32_t>(b[3]);
}

absl::Status CheckMagic(const std::string& name, std::span<const std::byte> magic) {
  if (magic[0] != std::byte{0} || magic[1] != std::byte{0}) {
    return absl::InvalidArgumentError(text::StrCat(name, ": byte 0: magic ", HexByte(magic[0]), " ",
                                                   HexByte(magic[1]),
                                                   ", expected 0x00 0x00: not an IDX file"));
  }
  if (!TypeOf(magic[2]).has_value()) {
    return absl::InvalidArgumentError(text::StrCat(
        name, ": byte 2: element type ", HexByte(magic[2]), UnsupportedTypeName(magic[2]),
        ", expected 0x08, 0x09 or 0x0b (integers of 8 or 16 bits)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<IdxHeader> ReadHeader(InputFile& file, uint32_t dimensions_min,
                                     uint32_t dimensions_max) {
  std::array<std::byte, 4> magic;
  TALLY_RETURN_IF_ERROR(file.ReadExactly(magic, "the IDX magic"));
  TALLY_RETURN_IF_ERROR(CheckMagic(file.name(), magic));
  const auto count = std::to_integer<uint32_t>(magic[3]);
  if (count < dimensions_min || count > dimensions_max) {
    return absl::InvalidArgumentError(
        text::StrCat(file.name(), ": byte 3: ", count, " dimensions, expected ", dimensions_min,
                     dimensions_min == dimensions_max ? "" : text::StrCat(" to ", dimensions_max)));
  }
  IdxHeader header;
  header.type = *TypeOf(magic[2]);
  for (uint32_t i = 0; i < count; ++i) {
    std::array<std::byte, 4> dimension;
    TALLY_RETURN_IF_ERROR(file.ReadExactly(dimension, "the IDX dimensions"));
    header.dimensions.push_back(BigEndian32(dimension));
  }
  return header;
}

// Refuses sizes that no model could take, before anything of that size is allocated.
absl::Status CheckSizes(const std::string& name, const IdxHeader& header) {
  if (header.dimensions[0] == 0) {
    return absl::InvalidArgumentError(text::StrCat(name, ": byte 4: the file holds no samples"));
  }
  uint64_t elements = 1;
  for (size_t i = 1; i < header.dimensions.size(); ++i) {
    const uint32_t dimension = header.dimensions[i];
    if (dimension == 0 || dimension > kDimensionMax) {
      return absl::InvalidArgumentError(text::StrCat(name, ": byte ", 4 + 4 * i, ": dimension ", i,
                                                     " is ", dimension, ", expected 1 to ",
                                                     kDimensionMax));
    }
    elements *= dimension;
    if (elements > kRowElementsMax) {
      return absl::InvalidArgumentError(text::StrCat(name, ": byte ", 4 + 4 * i,
                                                     ": a row has more than ", kRowElementsMax,
                                                     " elements, the most a model takes"));
    }
  }
  const uint64_t bytes = elements * ElementBytes(header.type) * header.dimensions[0];
  if (bytes > kDatasetBytesMax) {
    return absl::InvalidArgumentError(
        text::StrCat(name, ": byte 4: ", header.dimensions[0], " samples make ", bytes,
                     " bytes, expected at most ", kDatasetBytesMax, "; split the data set"));
  }
  return absl::OkStatus();
}

void SwapBytePairs(std::vector<std::byte>& bytes) {
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) std::swap(bytes[i], bytes[i + 1]);
}

// Reads the elements behind the header and checks that the file ends there.
absl::StatusOr<std::vector<std::byte>> ReadElements(InputFile& file, const IdxHeader& header,
                                                    std::string_view what) {
  uint64_t bytes = ElementBytes(header.type);
  for (const uint32_t dimension : header.dimensions) bytes *= dimension;
  std::vector<std::byte> elements;
  TALLY_RETURN_IF_ERROR(
      file.ReadVector(bytes, text::StrCat(header.dimensions[0], " ", what), elements));
  TALLY_RETURN_IF_ERROR(file.ExpectEnd());
  if (header.type == ElementType::kInt16) SwapBytePairs(elements);
  return elements;
}

int32_t LabelAt(std::span<const std::byte> elements, ElementType type, size_t index) {
  if (type == ElementType::kUint8) return std::to_integer<int32_t>(elements[index]);
  const auto low = std::to_integer<uint32_t>(elements[2 * index]);
  const auto high = std::to_integer<uint32_t>(elements[2 * index + 1]);
  return static_cast<int16_t>(static_cast<uint16_t>(low | high << 8));
}

absl::StatusOr<std::vector<uint32_t>> ReadLabels(const std::string& path, uint32_t classes) {
  TALLY_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  TALLY_ASSIGN_OR_RETURN(const IdxHeader header, ReadHeader(file, 1, 1));
  if (header.type == ElementType::kInt8) {
    return absl::InvalidArgumentError(
        text::StrCat(path, ": byte 2: element type 0x09 (int8), expected 0x08 or 0x0b for labels"));
  }
  TALLY_RETURN_IF_ERROR(CheckSizes(path, header));
  const uint64_t first = file.offset();
  TALLY_ASSIGN_OR_RETURN(const std::vector<std::byte> elements,
                         ReadElements(file, header, "labels"));
  std::vector<uint32_t> labels(header.dimensions[0]);
  for (size_t i = 0; i < labels.size(); ++i) {
    const int32_t label = LabelAt(elements, header.type, i);
    if (label < 0 || static_cast<uint32_t>(label) >= classes) {
      return absl::InvalidArgumentError(
          text::StrCat(path, ": byte ", first + i * ElementBytes(header.type), ": label ", label,
                       " of sample ", i, ", expected 0 to ", classes - 1));
    }
    labels[i] = static_cast<uint32_t>(label);
  }
  return labels;
}

}  // namespace

absl::StatusOr<Dataset> ReadIdx(const std::string& samples_path, const std::string& labels_path,
                                uint32_t classes) {
  TALLY_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(samples_path));
  TALLY_ASSIGN_OR_RETURN(const IdxHeader header, ReadHeader(file, 2, 1 + kRowDimensionsMax));
  TALLY_RETURN_IF_ERROR(CheckSizes(samples_path, header));
  Dataset dataset;
  TALLY_ASSIGN_OR_RETURN(dataset.labels, ReadLabels(labels_path, classes));
  if (dataset.labels.size() != header.dimensions[0]) {
    return absl::InvalidArgumentError(text::StrCat(samples_path, " holds ", header.dimensions[0],
                                                   " samples, but ", labels_path, " holds ",
                                                   dataset.labels.size(), " labels"));
  }
  dataset.shape.assign(header.dimensions.begin() + 1, header.dimensions.end());
  dataset.type = header.type;
  TALLY_ASSIGN_OR_RETURN(dataset.rows, ReadElements(file, header, "samples"));
  return dataset;
}

absl::StatusOr<Dataset> ReadIdxSamples(const std::string& path) {
  TALLY_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  TALLY_ASSIGN_OR_RETURN(const IdxHeader header, ReadHeader(file, 2, 1 + kRowDimensionsMax));
  TALLY_RETURN_IF_ERROR(CheckSizes(path, header));
  Dataset dataset;
  dataset.shape.assign(header.dimensions.begin() + 1, header.dimensions.end());
  dataset.type = header.type;
  dataset.labels.resize(header.dimensions[0]);
  TALLY_ASSIGN_OR_RETURN(dataset.rows, ReadElements(file, header, "samples"));
  return dataset;
}

}  // namespace tally
