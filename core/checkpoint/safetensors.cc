#include "core/checkpoint/safetensors.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>

#include "core/arithmetic/check.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "core/text/utf8.h"
#include "core/text/value.h"

namespace tally::safetensors {
namespace {

using text::JsonQuote;
using text::StrAppend;
using text::StrCat;
using text::Value;

constexpr std::string_view kMetadataKey = "__metadata__";
constexpr size_t kPrefixBytes = 8;  // the length of the header

struct Dtype {
  StateType type;
  std::string_view name;
  uint64_t bytes;
};

constexpr Dtype kDtypes[] = {{StateType::kInt8, "I8", 1},   {StateType::kInt16, "I16", 2},
                             {StateType::kInt32, "I32", 4}, {StateType::kInt64, "I64", 8},
                             {StateType::kUint8, "U8", 1},  {StateType::kUint64, "U64", 8}};

const Dtype& DtypeOf(StateType type) {
  const auto found = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                                  [&](const Dtype& dtype) { return dtype.type == type; });
  TALLY_CHECK(found != std::end(kDtypes));
  return *found;
}

// Bytes of a tensor; nothing if they exceed 64 bits.
std::optional<uint64_t> SizeOf(StateType type, const std::vector<uint64_t>& shape) {
  // An empty tensor is empty even if the product of its other dimensions would not fit.
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  uint64_t size = DtypeBytes(type);
  for (const uint64_t dimension : shape) {
    if (size > std::numeric_limits<uint64_t>::max() / dimension) return std::nullopt;
    size *= dimension;
  }
  return size;
}

std::string IntegerList(const std::vector<uint64_t>& integers) {
  std::string out = "[";
  for (const uint64_t integer : integers) StrAppend(&out, out.size() > 1 ? "," : "", integer);
  return out + "]";
}

// A name as messages show it: foreign files may hold anything.
std::string Shown(std::string_view name) {
  const std::string quoted = JsonQuote(name.substr(0, 64));
  return StrCat("'", quoted.substr(1, quoted.size() - 2), "'");
}

absl::Status Error(std::string_view what) {
  return absl::InvalidArgumentError(StrCat("safetensors: ", what));
}

absl::Status TensorError(std::string_view name, std::string_view what) {
  return Error(StrCat("tensor ", Shown(name), ": ", what));
}

// --- reading

const Value* FindKey(const text::Map& map, std::string_view key) {
  const auto found =
      std::find_if(map.begin(), map.end(), [&](const auto& entry) { return entry.key == key; });
  return found == map.end() ? nullptr : &found->value;
}

bool ReadIntegers(const Value* value, std::vector<uint64_t>& out) {
  const auto* list = value == nullptr ? nullptr : std::get_if<text::List>(&value->data);
  if (list == nullptr) return false;
  for (const Value& item : *list) {
    const auto* integer = std::get_if<text::Integer>(&item.data);
    if (integer == nullptr || integer->negative) return false;
    out.push_back(integer->magnitude);
  }
  return true;
}

absl::StatusOr<StateType> ReadDtype(std::string_view name, const Value* value) {
  const auto* word = value == nullptr ? nullptr : std::get_if<std::string>(&value->data);
  if (word == nullptr) return TensorError(name, "dtype is missing or no text");
  for (const Dtype& dtype : kDtypes) {
    if (dtype.name == *word) return dtype.type;
  }
  const bool floating = word->starts_with("F") || word->starts_with("BF") || word->starts_with("C");
  if (floating) {
    return Error(StrCat(word->substr(0, 16), " tensor ", Shown(name), ": tally is integer only"));
  }
  return TensorError(name, StrCat("dtype ", JsonQuote(word->substr(0, 16)),
                                  ", expected one of I8, I16, I32, I64, U8, U64"));
}

absl::StatusOr<Tensor> ReadTensor(std::string_view name, const Value& value,
                                  std::string_view buffer) {
  const auto* map = std::get_if<text::Map>(&value.data);
  if (map == nullptr) return TensorError(name, "its entry in the header is no map");
  Tensor tensor;
  tensor.name = name;
  TALLY_ASSIGN_OR_RETURN(tensor.type, ReadDtype(name, FindKey(*map, "dtype")));
  if (!ReadIntegers(FindKey(*map, "shape"), tensor.shape)) {
    return TensorError(name, "shape is missing or no list of integers from 0");
  }
  std::vector<uint64_t> offsets;
  if (!ReadIntegers(FindKey(*map, "data_offsets"), offsets) || offsets.size() != 2) {
    return TensorError(name, "data_offsets is missing or no pair of integers from 0");
  }
  if (map->size() != 3) return TensorError(name, "a key besides dtype, shape and data_offsets");
  if (offsets[0] > offsets[1] || offsets[1] > buffer.size()) {
    return TensorError(name, StrCat("data_offsets ", IntegerList(offsets), " leave the data of ",
                                    buffer.size(), " bytes"));
  }
  const uint64_t size = offsets[1] - offsets[0];
  const auto wanted = SizeOf(tensor.type, tensor.shape);
  if (wanted != size) {
    return TensorError(name, StrCat("shape ", IntegerList(tensor.shape), " of ",
                                    DtypeName(tensor.type), " does not have ", size, " bytes"));
  }
  tensor.bytes = buffer.substr(static_cast<size_t>(offsets[0]), static_cast<size_t>(size));
  return tensor;
}

absl::StatusOr<Metadata> ReadMetadata(const Value& value) {
  Metadata metadata;
  const auto* map = std::get_if<text::Map>(&value.data);
  if (map == nullptr) return Error("__metadata__ is no map");
  for (const auto& [key, entry] : *map) {
    const auto* text = std::get_if<std::string>(&entry.data);
    if (text == nullptr) return Error(StrCat("metadata ", Shown(key), " is no text"));
    metadata[key] = *text;
  }
  return metadata;
}

// The tensors cover the buffer without overlap or hole.
absl::Status CheckCoverage(const std::vector<Tensor>& tensors, std::string_view buffer) {
  std::vector<const Tensor*> order;
  for (const Tensor& tensor : tensors) order.push_back(&tensor);
  const auto begin = [&](const Tensor* t) { return t->bytes.data() - buffer.data(); };
  std::sort(order.begin(), order.end(), [&](const Tensor* a, const Tensor* b) {
    return std::tuple(begin(a), a->bytes.size()) < std::tuple(begin(b), b->bytes.size());
  });
  std::ptrdiff_t covered = 0;
  for (const Tensor* tensor : order) {
    if (begin(tensor) != covered) {
      return TensorError(tensor->name,
                         StrCat("begins at byte ", begin(tensor), " of the data, ",
                                begin(tensor) < covered ? "inside another tensor" : "behind a hole",
                                "; expected ", covered));
    }
    covered += static_cast<std::ptrdiff_t>(tensor->bytes.size());
  }
  if (covered != static_cast<std::ptrdiff_t>(buffer.size())) {
    return Error(StrCat(buffer.size(), " bytes of data, of which the tensors cover ", covered));
  }
  return absl::OkStatus();
}

// The header's text; `bytes` becomes the data behind it.
absl::StatusOr<std::string_view> TakeHeader(std::string_view& bytes) {
  if (bytes.size() < kPrefixBytes) return Error(StrCat("only ", bytes.size(), " bytes"));
  uint64_t size = 0;
  for (size_t i = kPrefixBytes; i > 0; --i) size = size << 8 | static_cast<uint8_t>(bytes[i - 1]);
  bytes.remove_prefix(kPrefixBytes);
  if (size > kHeaderBytesMax) {
    return Error(StrCat("a header of ", size, " bytes; at most ", kHeaderBytesMax, " are allowed"));
  }
  if (size > bytes.size()) {
    return Error(StrCat("a header of ", size, " bytes, of which ", bytes.size(), " are there"));
  }
  const std::string_view header = bytes.substr(0, static_cast<size_t>(size));
  bytes.remove_prefix(header.size());
  const size_t end = header.find_last_not_of(' ');
  if (header.empty() || header.front() != '{' || header[end] != '}' || header.size() % 8 != 0) {
    return Error("the header is not a JSON object padded with spaces to a multiple of 8 bytes");
  }
  return header;
}

// --- writing

// Wide elements first, so that each tensor is aligned to its elements; then by name.
void SortForData(std::vector<Tensor>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) {
    return std::tuple(DtypeBytes(b.type), std::string_view(a.name)) <
           std::tuple(DtypeBytes(a.type), std::string_view(b.name));
  });
}

std::string HeaderText(const Metadata& metadata, const std::vector<Tensor>& tensors) {
  std::map<std::string_view, std::string> entries;  // sorted by name
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    TALLY_CHECK(SizeOf(tensor.type, tensor.shape) == tensor.bytes.size());
    TALLY_CHECK(text::IsUtf8(tensor.name) && tensor.name != kMetadataKey);
    const uint64_t end = offset + tensor.bytes.size();
    const bool unique =
        entries
            .emplace(tensor.name, StrCat("{\"data_offsets\":[", offset, ",", end, "],\"dtype\":\"",
                                         DtypeName(tensor.type),
                                         "\",\"shape\":", IntegerList(tensor.shape), "}"))
            .second;
    TALLY_CHECK(unique);
    offset = end;
  }
  std::string header = StrCat("{", JsonQuote(kMetadataKey), ":{");
  const char* comma = "";
  for (const auto& [key, value] : metadata) {
    TALLY_CHECK(text::IsUtf8(key) && text::IsUtf8(value));
    StrAppend(&header, std::exchange(comma, ","), JsonQuote(key), ":", JsonQuote(value));
  }
  header += "}";
  for (const auto& [name, entry] : entries) StrAppend(&header, ",", JsonQuote(name), ":", entry);
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  TALLY_CHECK(header.size() <= kHeaderBytesMax);
  return header;
}

}  // namespace

std::string_view DtypeName(StateType type) { return DtypeOf(type).name; }

uint64_t DtypeBytes(StateType type) { return DtypeOf(type).bytes; }

std::string Write(const Metadata& metadata, std::vector<Tensor> tensors) {
  SortForData(tensors);
  const std::string header = HeaderText(metadata, tensors);
  size_t size = kPrefixBytes + header.size();
  for (const Tensor& tensor : tensors) size += tensor.bytes.size();
  std::string file;
  file.reserve(size);
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    file.push_back(static_cast<char>(uint64_t{header.size()} >> (8 * i) & 0xff));
  }
  file += header;
  for (const Tensor& tensor : tensors) file += tensor.bytes;
  return file;
}

absl::StatusOr<File> Read(std::string_view bytes) {
  std::string_view buffer = bytes;
  TALLY_ASSIGN_OR_RETURN(const std::string_view header, TakeHeader(buffer));
  TALLY_ASSIGN_OR_RETURN(const Value document, text::ParseJson(header, "safetensors header"));
  File file;
  for (const auto& [name, value] : std::get<text::Map>(document.data)) {
    if (name == kMetadataKey) {
      TALLY_ASSIGN_OR_RETURN(file.metadata, ReadMetadata(value));
    } else {
      TALLY_ASSIGN_OR_RETURN(file.tensors.emplace_back(), ReadTensor(name, value, buffer));
    }
  }
  TALLY_RETURN_IF_ERROR(CheckCoverage(file.tensors, buffer));
  std::sort(file.tensors.begin(), file.tensors.end(),
            [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
  return file;
}

}  // namespace tally::safetensors
