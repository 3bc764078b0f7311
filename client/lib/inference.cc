// The inference half of the client: the Open Inference Protocol with raw contents.

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lib/connection.h"
#include "tally/client.h"

namespace tally {
namespace {

using internal::Repeatable;

absl::StatusOr<size_t> ElementBytesOf(const std::string& datatype) {
  if (datatype == "UINT8" || datatype == "INT8") return 1;
  if (datatype == "INT16") return 2;
  return absl::InvalidArgumentError(
      absl::StrCat("datatype \"", datatype, "\": expected UINT8, INT8 or INT16"));
}

// One input, [rows, elements of a row], in raw contents.
absl::StatusOr<inference::ModelInferRequest> MakeRequest(const InferQuery& query) {
  auto element_bytes = ElementBytesOf(query.datatype);
  if (!element_bytes.ok()) return element_bytes.status();
  const size_t row_bytes = query.rows == 0 ? 0 : query.bytes.size() / query.rows;
  if (row_bytes == 0 || row_bytes * query.rows != query.bytes.size() ||
      row_bytes % *element_bytes != 0) {
    return absl::InvalidArgumentError(absl::StrCat(query.bytes.size(), " bytes are not ",
                                                   query.rows, " rows of ", query.datatype));
  }
  inference::ModelInferRequest request;
  request.set_model_name(query.model);
  request.set_model_version(query.model_version);
  auto& input = *request.add_inputs();
  input.set_name("input");
  input.set_datatype(query.datatype);
  input.add_shape(query.rows);
  input.add_shape(static_cast<int64_t>(row_bytes / *element_bytes));
  request.add_raw_input_contents(query.bytes);
  return request;
}

// Four bytes, little-endian, at `at`.
uint32_t ReadUint32(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
  }
  return value;
}

bool ReadScores(const inference::ModelInferResponse::InferOutputTensor& tensor,
                const std::string& raw, uint32_t rows, InferResult& result) {
  if (tensor.datatype() != "INT32" || tensor.shape_size() != 2 || tensor.shape(0) != rows ||
      tensor.shape(1) < 1 ||
      raw.size() != size_t{rows} * static_cast<size_t>(tensor.shape(1)) * 4) {
    return false;
  }
  result.classes = static_cast<uint32_t>(tensor.shape(1));
  for (size_t at = 0; at < raw.size(); at += 4) {
    result.scores.push_back(static_cast<int32_t>(ReadUint32(raw, at)));
  }
  return true;
}

// Each element is its length (four bytes), then its bytes.
bool ReadLabels(const std::string& raw, uint32_t rows, InferResult& result) {
  size_t at = 0;
  while (at < raw.size()) {
    if (raw.size() - at < 4) return false;
    const size_t length = ReadUint32(raw, at);
    if (raw.size() - at - 4 < length) return false;
    result.labels.push_back(raw.substr(at + 4, length));
    at += 4 + length;
  }
  return result.labels.size() == rows;
}

absl::StatusOr<InferResult> ReadResponse(const inference::ModelInferResponse& response,
                                         uint32_t rows) {
  InferResult result;
  result.model_version = response.model_version();
  bool good = response.outputs_size() == response.raw_output_contents_size();
  for (int i = 0; good && i < response.outputs_size(); ++i) {
    const auto& tensor = response.outputs(i);
    const std::string& raw = response.raw_output_contents(i);
    if (tensor.name() == "scores") good = ReadScores(tensor, raw, rows, result);
    if (tensor.name() == "label") good = ReadLabels(raw, rows, result);
  }
  if (!good || result.classes == 0) {
    return absl::InternalError("the server's answer to ModelInfer does not fit the request");
  }
  return result;
}

}  // namespace

absl::StatusOr<InferResult> Client::Infer(const InferQuery& query) const {
  auto request = MakeRequest(query);
  if (!request.ok()) return request.status();
  auto response = connection_->Unary(options().timeout, Repeatable::kYes, connection_->inference(),
                                     &inference::GRPCInferenceService::Stub::ModelInfer, *request);
  if (!response.ok()) return response.status();
  return ReadResponse(*response, query.rows);
}

absl::StatusOr<ServerStatus> Client::Health() const {
  using Stub = inference::GRPCInferenceService::Stub;
  auto live = connection_->Unary(options().timeout, Repeatable::kYes, connection_->inference(),
                                 &Stub::ServerLive, inference::ServerLiveRequest());
  if (!live.ok()) return live.status();
  auto ready = connection_->Unary(options().timeout, Repeatable::kYes, connection_->inference(),
                                  &Stub::ServerReady, inference::ServerReadyRequest());
  if (!ready.ok()) return ready.status();
  auto metadata = connection_->Unary(options().timeout, Repeatable::kYes, connection_->inference(),
                                     &Stub::ServerMetadata, inference::ServerMetadataRequest());
  if (!metadata.ok()) return metadata.status();
  return ServerStatus{live->live(), ready->ready(), metadata->version()};
}

absl::StatusOr<bool> Client::ModelReady(std::string_view model) const {
  inference::ModelReadyRequest request;
  request.set_name(std::string(model));
  auto response = connection_->Unary(options().timeout, Repeatable::kYes, connection_->inference(),
                                     &inference::GRPCInferenceService::Stub::ModelReady, request);
  if (!response.ok()) return response.status();
  return response->ready();
}

}  // namespace tally
