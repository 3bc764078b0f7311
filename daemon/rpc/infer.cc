#include "daemon/rpc/infer.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/rpc/status_details.h"
#include "daemon/rpc/validation.h"

namespace tally::rpc {
namespace {

// Raw tensors are little-endian, and so is every machine Tally runs on: they need no conversion.
static_assert(std::endian::native == std::endian::little);

using Request = inference::ModelInferRequest;
using InputTensor = inference::ModelInferRequest::InferInputTensor;
using Contents = inference::InferTensorContents;

constexpr char kInputName[] = "input";
constexpr char kScoresName[] = "scores";
constexpr char kLabelName[] = "label";

// Which outputs to return, in which order.
enum class Output : uint8_t { kScores, kLabel };

absl::Status CheckDatatype(const InputTensor& input, const ModelSpec& spec) {
  const std::string& datatype = input.datatype();
  const std::string_view wanted = DatatypeName(spec.input.type);
  if (datatype == wanted) return absl::OkStatus();
  const bool floating =
      datatype == "FP16" || datatype == "FP32" || datatype == "FP64" || datatype == "BF16";
  if (floating) {
    return FieldError("inputs[0].datatype", "FLOATING_POINT_TENSOR",
                      text::StrCat(datatype, " tensors are refused: Tally computes with integers ",
                                   "only; quantise the input and send ", wanted));
  }
  return FieldError("inputs[0].datatype", "DATATYPE_MISMATCH",
                    text::StrCat("\"", datatype, "\"; expected ", wanted));
}

std::string ShapeText(std::span<const uint32_t> dimensions) {
  std::string text = "[rows";
  for (const uint32_t dimension : dimensions) text::StrAppend(&text, ", ", dimension);
  return text + "]";
}

std::string ShapeText(const google::protobuf::RepeatedField<int64_t>& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.size(); ++i) text::StrAppend(&text, i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

bool ShapeFits(const google::protobuf::RepeatedField<int64_t>& shape, const ModelSpec& spec) {
  if (shape.size() == 2 && shape[1] == static_cast<int64_t>(spec.InputElements())) return true;
  if (static_cast<size_t>(shape.size()) != spec.input.shape.size() + 1) return false;
  for (size_t i = 0; i < spec.input.shape.size(); ++i) {
    if (shape[static_cast<int>(i) + 1] != int64_t{spec.input.shape[i]}) return false;
  }
  return true;
}

// A small request must not ask for a huge answer. One row is always served.
absl::Status CheckScores(size_t rows, const ModelSpec& spec, const LiveLimits& limits) {
  const uint64_t bytes = uint64_t{rows} * spec.classes * sizeof(int32_t);
  const uint64_t bytes_max = limits.message_bytes.load(std::memory_order_relaxed);
  if (rows == 1 || bytes <= bytes_max) return absl::OkStatus();
  return FieldError(
      "inputs[0].shape", "ANSWER_TOO_LARGE",
      text::StrCat(rows, " rows of ", spec.classes, " classes have ", bytes,
                   " bytes of scores; limits.message allows ", bytes_max, "; send at most ",
                   std::max<uint64_t>(bytes_max / (spec.classes * uint64_t{4}), 1),
                   " rows at a time"));
}

// Sets `rows` to the first dimension.
absl::Status CheckShape(const InputTensor& input, const ModelSpec& spec, const LiveLimits& limits,
                        size_t& rows) {
  const auto& shape = input.shape();
  if (!ShapeFits(shape, spec)) {
    const uint32_t elements = static_cast<uint32_t>(spec.InputElements());
    return FieldError("inputs[0].shape", "SHAPE_MISMATCH",
                      text::StrCat(ShapeText(shape), "; expected ", ShapeText(spec.input.shape),
                                   " or ", ShapeText(std::span(&elements, 1))));
  }
  const uint32_t rows_max = limits.rows.load(std::memory_order_relaxed);
  if (shape[0] < 1 || shape[0] > int64_t{rows_max}) {
    return FieldError("inputs[0].shape", "TOO_MANY_ROWS",
                      text::StrCat(shape[0], " rows; expected 1 to ", rows_max, " (limits.rows)"));
  }
  rows = static_cast<size_t>(shape[0]);
  return CheckScores(rows, spec, limits);
}

// The raw rule: if raw contents are used, no input has `contents`, and there is one entry an input,
// each of exactly the size its shape and datatype give.
absl::Status CheckRaw(const Request& request, size_t bytes) {
  if (request.raw_input_contents_size() != request.inputs_size()) {
    return FieldError("raw_input_contents", "RAW_CONTENTS_MISMATCH",
                      text::StrCat(request.raw_input_contents_size(), " entries for ",
                                   request.inputs_size(), " inputs; expected one each"));
  }
  if (request.inputs(0).has_contents()) {
    return FieldError("inputs[0].contents", "RAW_CONTENTS_MISMATCH",
                      "set beside raw_input_contents; use one of the two");
  }
  if (request.raw_input_contents(0).size() != bytes) {
    return FieldError("raw_input_contents[0]", "RAW_CONTENTS_MISMATCH",
                      text::StrCat(request.raw_input_contents(0).size(), " bytes; shape ",
                                   ShapeText(request.inputs(0).shape()), " of ",
                                   request.inputs(0).datatype(), " has ", bytes));
  }
  return absl::OkStatus();
}

struct ContentsField {
  const char* name;
  int size;
};

std::vector<ContentsField> FieldsOf(const Contents& contents) {
  return {{"bool_contents", contents.bool_contents_size()},
          {"int_contents", contents.int_contents_size()},
          {"int64_contents", contents.int64_contents_size()},
          {"uint_contents", contents.uint_contents_size()},
          {"uint64_contents", contents.uint64_contents_size()},
          {"fp32_contents", contents.fp32_contents_size()},
          {"fp64_contents", contents.fp64_contents_size()},
          {"bytes_contents", contents.bytes_contents_size()}};
}

absl::Status CheckContents(const InputTensor& input, std::string_view wanted, size_t elements) {
  if (!input.has_contents()) {
    return FieldError("inputs[0].contents", "MISSING_FIELD",
                      "missing, and raw_input_contents too; send one of the two");
  }
  const std::vector<ContentsField> fields = FieldsOf(input.contents());
  for (const ContentsField& field : fields) {
    if (field.name == wanted || field.size == 0) continue;
    const bool floating = std::string_view(field.name).starts_with("fp");
    return FieldError(
        text::StrCat("inputs[0].contents.", field.name),
        floating ? "FLOATING_POINT_TENSOR" : "DATATYPE_MISMATCH",
        text::StrCat("set; a tensor of ", input.datatype(), " has its elements in ", wanted));
  }
  for (const ContentsField& field : fields) {
    if (field.name != wanted || static_cast<size_t>(field.size) == elements) continue;
    return FieldError(
        text::StrCat("inputs[0].contents.", field.name), "SHAPE_MISMATCH",
        text::StrCat(field.size, " elements; shape ", ShapeText(input.shape()), " has ", elements));
  }
  return absl::OkStatus();
}

// Narrows the elements to T, refusing what does not fit.
template <typename T, typename Wide>
absl::Status Narrow(const google::protobuf::RepeatedField<Wide>& values, const char* field,
                    std::string& out) {
  out.resize(static_cast<size_t>(values.size()) * sizeof(T));
  for (int i = 0; i < values.size(); ++i) {
    const Wide value = values[i];
    if (value < Wide{std::numeric_limits<T>::min()} ||
        value > Wide{std::numeric_limits<T>::max()}) {
      return FieldError(text::StrCat("inputs[0].contents.", field, "[", i, "]"),
                        "VALUE_OUT_OF_RANGE",
                        text::StrCat(value, "; expected ", std::numeric_limits<T>::min(), " to ",
                                     std::numeric_limits<T>::max()));
    }
    const T narrow = static_cast<T>(value);
    std::memcpy(out.data() + static_cast<size_t>(i) * sizeof(T), &narrow, sizeof(T));
  }
  return absl::OkStatus();
}

absl::Status ReadTyped(const InputTensor& input, const ModelSpec& spec, size_t rows,
                       std::string& out) {
  const bool is_unsigned = spec.input.type == ElementType::kUint8;
  TALLY_RETURN_IF_ERROR(CheckContents(input, is_unsigned ? "uint_contents" : "int_contents",
                                      rows * spec.InputElements()));
  const Contents& contents = input.contents();
  switch (spec.input.type) {
    case ElementType::kUint8:
      return Narrow<uint8_t>(contents.uint_contents(), "uint_contents", out);
    case ElementType::kInt8:
      return Narrow<int8_t>(contents.int_contents(), "int_contents", out);
    case ElementType::kInt16:
      return Narrow<int16_t>(contents.int_contents(), "int_contents", out);
  }
  return absl::InternalError("unknown element type");
}

absl::Status ReadOutputs(const Request& request, std::vector<Output>& outputs) {
  if (request.outputs_size() == 0) outputs = {Output::kScores, Output::kLabel};
  for (int i = 0; i < request.outputs_size(); ++i) {
    const std::string& name = request.outputs(i).name();
    const std::string path = text::StrCat("outputs[", i, "].name");
    if (name != kScoresName && name != kLabelName) {
      return FieldError(path, "UNKNOWN_TENSOR",
                        text::StrCat("\"", name, "\"; expected \"scores\" or \"label\""));
    }
    const Output output = name == kScoresName ? Output::kScores : Output::kLabel;
    for (const Output earlier : outputs) {
      if (earlier == output) {
        return FieldError(path, "DUPLICATE_TENSOR",
                          text::StrCat("\"", name, "\" is asked for twice"));
      }
    }
    outputs.push_back(output);
  }
  return absl::OkStatus();
}

absl::Status CheckInputs(const Request& request) {
  if (request.inputs_size() != 1) {
    return FieldError("inputs", "WRONG_INPUT_COUNT",
                      text::StrCat(request.inputs_size(), " tensors; expected one, \"input\""));
  }
  if (request.inputs(0).name() != kInputName) {
    return FieldError("inputs[0].name", "UNKNOWN_TENSOR",
                      text::StrCat("\"", request.inputs(0).name(), "\"; expected \"input\""));
  }
  return absl::OkStatus();
}

void AppendRawBytes(const std::string& bytes, std::string& out) {
  const auto size = static_cast<uint32_t>(bytes.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof(size));
  out.append(bytes);
}

struct Prediction {
  const ModelSpec& spec;
  size_t rows;
  std::vector<int32_t> scores;

  std::span<const int32_t> Row(size_t row) const {
    return std::span(scores).subspan(row * spec.classes, spec.classes);
  }
};

void WriteScores(const Prediction& prediction, bool raw, inference::ModelInferResponse& response) {
  auto* tensor = response.add_outputs();
  tensor->set_name(kScoresName);
  tensor->set_datatype("INT32");
  tensor->add_shape(static_cast<int64_t>(prediction.rows));
  tensor->add_shape(int64_t{prediction.spec.classes});
  const std::vector<int32_t>& scores = prediction.scores;
  if (raw) {
    response.add_raw_output_contents()->assign(reinterpret_cast<const char*>(scores.data()),
                                               scores.size() * sizeof(int32_t));
  } else {
    tensor->mutable_contents()->mutable_int_contents()->Add(scores.begin(), scores.end());
  }
}

void WriteLabels(const Prediction& prediction, bool raw, inference::ModelInferResponse& response) {
  auto* tensor = response.add_outputs();
  tensor->set_name(kLabelName);
  tensor->set_datatype("BYTES");
  tensor->add_shape(static_cast<int64_t>(prediction.rows));
  std::string* raw_contents = raw ? response.add_raw_output_contents() : nullptr;
  for (size_t row = 0; row < prediction.rows; ++row) {
    std::string name = ClassName(prediction.spec, ArgMax(prediction.Row(row)));
    if (raw) {
      AppendRawBytes(name, *raw_contents);
    } else {
      tensor->mutable_contents()->add_bytes_contents(std::move(name));
    }
  }
}

}  // namespace

std::string_view DatatypeName(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return "UINT8";
    case ElementType::kInt8:
      return "INT8";
    case ElementType::kInt16:
      return "INT16";
  }
  return "";
}

std::string ClassName(const ModelSpec& spec, uint32_t index) {
  return index < spec.labels.size() ? spec.labels[index] : text::StrCat(index);
}

absl::Status Infer(const hosting::Snapshot& snapshot, const Request& request,
                   const LiveLimits& limits, inference::ModelInferResponse& response) {
  const ModelSpec& spec = *snapshot.spec;
  TALLY_RETURN_IF_ERROR(CheckMessageSize(request, limits));
  TALLY_RETURN_IF_ERROR(
      CheckVersion(request.model_version(), snapshot.position, request.model_name()));
  TALLY_RETURN_IF_ERROR(CheckInputs(request));
  const InputTensor& input = request.inputs(0);
  TALLY_RETURN_IF_ERROR(CheckDatatype(input, spec));
  size_t rows = 0;
  TALLY_RETURN_IF_ERROR(CheckShape(input, spec, limits, rows));
  std::vector<Output> outputs;
  TALLY_RETURN_IF_ERROR(ReadOutputs(request, outputs));

  const bool raw = request.raw_input_contents_size() > 0;
  std::string typed;
  if (raw) {
    TALLY_RETURN_IF_ERROR(CheckRaw(request, rows * spec.RowBytes()));
  } else {
    TALLY_RETURN_IF_ERROR(ReadTyped(input, spec, rows, typed));
  }
  const std::string& bytes = raw ? request.raw_input_contents(0) : typed;
  Prediction prediction{spec, rows, std::vector<int32_t>(rows * spec.classes)};
  snapshot.predictor->Predict({std::as_bytes(std::span(bytes)), rows}, prediction.scores);

  response.set_model_name(request.model_name());
  response.set_model_version(text::StrCat(snapshot.position));
  response.set_id(request.id());
  for (const Output output : outputs) {
    output == Output::kScores ? WriteScores(prediction, raw, response)
                              : WriteLabels(prediction, raw, response);
  }
  return absl::OkStatus();
}

void DescribeTensors(const ModelSpec& spec, inference::ModelMetadataResponse& response) {
  auto* input = response.add_inputs();
  input->set_name(kInputName);
  input->set_datatype(std::string(DatatypeName(spec.input.type)));
  input->add_shape(-1);
  for (const uint32_t dimension : spec.input.shape) input->add_shape(int64_t{dimension});
  auto* scores = response.add_outputs();
  scores->set_name(kScoresName);
  scores->set_datatype("INT32");
  scores->add_shape(-1);
  scores->add_shape(int64_t{spec.classes});
  auto* label = response.add_outputs();
  label->set_name(kLabelName);
  label->set_datatype("BYTES");
  label->add_shape(-1);
}

}  // namespace tally::rpc
