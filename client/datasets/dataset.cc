#include "client/datasets/dataset.h"

#include <algorithm>
#include <cstddef>

#include "core/text/strings.h"

namespace tally {
namespace {

std::string_view TypeName(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return "uint8";
    case ElementType::kInt8:
      return "int8";
    case ElementType::kInt16:
      return "int16";
  }
  return "?";
}

}  // namespace

size_t Dataset::elements() const {
  size_t product = 1;
  for (const uint32_t dimension : shape) product *= dimension;
  return product;
}

std::string DescribeRow(const std::vector<uint32_t>& shape, ElementType type) {
  std::string text = text::StrCat(TypeName(type), " [");
  for (size_t i = 0; i < shape.size(); ++i) text::StrAppend(&text, i == 0 ? "" : ",", shape[i]);
  return text + "]";
}

absl::Status CheckFits(const Dataset& dataset, const ModelSpec& spec, std::string_view name) {
  if (dataset.type != spec.input.type || dataset.elements() != spec.InputElements()) {
    return absl::InvalidArgumentError(
        text::StrCat(name, ": rows are ", DescribeRow(dataset.shape, dataset.type),
                     ", but the model's input is ", DescribeRow(spec.input.shape, spec.input.type),
                     "; use other data or a spec whose input matches"));
  }
  for (uint32_t i = 0; i < dataset.count(); ++i) {
    if (dataset.labels[i] >= spec.classes) {
      return absl::InvalidArgumentError(
          text::StrCat(name, ": sample ", i, " has label ", dataset.labels[i], ", expected 0 to ",
                       spec.classes - 1, ": the model has ", spec.classes, " classes"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Dataset> SplitOffLast(Dataset& dataset, uint32_t count) {
  if (count == 0 || count >= dataset.count()) {
    return absl::InvalidArgumentError(
        text::StrCat("cannot hold out ", count, " of ", dataset.count(), " samples, expected 1 to ",
                     dataset.count() - std::min(1u, dataset.count())));
  }
  const uint32_t kept = dataset.count() - count;
  const auto first_row =
      dataset.rows.begin() + static_cast<std::ptrdiff_t>(kept * dataset.row_bytes());
  const auto first_label = dataset.labels.begin() + static_cast<std::ptrdiff_t>(kept);
  Dataset last{dataset.shape,
               dataset.type,
               {first_row, dataset.rows.end()},
               {first_label, dataset.labels.end()}};
  dataset.rows.erase(first_row, dataset.rows.end());
  dataset.labels.erase(first_label, dataset.labels.end());
  return last;
}

}  // namespace tally
