#include "tally/client.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lib/connection.h"
#include "client/lib/status.h"

namespace tally {
namespace {

using internal::Connection;
using internal::Repeatable;

constexpr size_t kChunkBytes = 1u << 20;

template <typename Request>
Request Named(std::string_view name) {
  Request request;
  request.set_name(std::string(name));
  return request;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(std::string_view address,
                                                        const ClientOptions& options) {
  auto connection = Connection::Make(address, options);
  if (!connection.ok()) return connection.status();
  return std::unique_ptr<Client>(new Client(*std::move(connection)));
}

Client::Client(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
Client::~Client() = default;

const ClientOptions& Client::options() const { return connection_->options(); }

absl::StatusOr<v1::Model> Client::Create(std::string_view name, const v1::ModelSpec& spec) const {
  auto request = Named<v1::CreateRequest>(name);
  *request.mutable_spec() = spec;
  auto response = connection_->Unary(options().timeout, Repeatable::kNo, connection_->models(),
                                     &v1::Models::Stub::Create, request);
  if (!response.ok()) return response.status();
  return response->model();
}

absl::StatusOr<v1::Model> Client::CreateFromZoo(std::string_view name, std::string_view zoo) const {
  auto request = Named<v1::CreateRequest>(name);
  request.set_zoo(std::string(zoo));
  auto response = connection_->Unary(options().timeout, Repeatable::kNo, connection_->models(),
                                     &v1::Models::Stub::Create, request);
  if (!response.ok()) return response.status();
  return response->model();
}

absl::StatusOr<v1::Model> Client::Get(std::string_view name) const {
  auto response = connection_->Unary(options().timeout, Repeatable::kYes, connection_->models(),
                                     &v1::Models::Stub::Get, Named<v1::GetRequest>(name));
  if (!response.ok()) return response.status();
  return response->model();
}

absl::StatusOr<std::vector<v1::Model>> Client::List() const {
  auto response = connection_->Unary(options().timeout, Repeatable::kYes, connection_->models(),
                                     &v1::Models::Stub::List, v1::ListRequest());
  if (!response.ok()) return response.status();
  return std::vector<v1::Model>(response->models().begin(), response->models().end());
}

absl::Status Client::Delete(std::string_view name) const {
  return connection_
      ->Unary(options().long_timeout, Repeatable::kNo, connection_->models(),
              &v1::Models::Stub::Delete, Named<v1::DeleteRequest>(name))
      .status();
}

absl::StatusOr<v1::CheckpointInfo> Client::Checkpoint(std::string_view name) const {
  auto response =
      connection_->Unary(options().long_timeout, Repeatable::kYes, connection_->models(),
                         &v1::Models::Stub::Checkpoint, Named<v1::CheckpointRequest>(name));
  if (!response.ok()) return response.status();
  return response->checkpoint();
}

absl::StatusOr<std::vector<v1::CheckpointInfo>> Client::ListCheckpoints(
    std::string_view name) const {
  auto response = connection_->Unary(options().timeout, Repeatable::kYes, connection_->models(),
                                     &v1::Models::Stub::ListCheckpoints,
                                     Named<v1::ListCheckpointsRequest>(name));
  if (!response.ok()) return response.status();
  return std::vector<v1::CheckpointInfo>(response->checkpoints().begin(),
                                         response->checkpoints().end());
}

absl::StatusOr<v1::RollbackResponse> Client::Rollback(std::string_view name,
                                                      uint64_t position) const {
  auto request = Named<v1::RollbackRequest>(name);
  request.set_position(position);
  return connection_->Unary(options().long_timeout, Repeatable::kNo, connection_->models(),
                            &v1::Models::Stub::Rollback, request);
}

absl::StatusOr<v1::DigestResponse> Client::Digest(std::string_view name) const {
  return connection_->Unary(options().long_timeout, Repeatable::kYes, connection_->models(),
                            &v1::Models::Stub::Digest, Named<v1::DigestRequest>(name));
}

absl::StatusOr<v1::CheckpointInfo> Client::Export(std::string_view name,
                                                  std::optional<uint64_t> position,
                                                  std::ostream& out) const {
  auto request = Named<v1::ExportRequest>(name);
  if (position.has_value()) request.set_position(*position);
  v1::CheckpointInfo checkpoint;
  bool out_failed = false;
  absl::Status status =
      connection_->Call(options().long_timeout, Repeatable::kNo, [&](grpc::ClientContext& context) {
        auto stream = connection_->models().Export(&context, request);
        v1::ExportResponse response;
        while (stream->Read(&response)) {
          if (response.has_checkpoint()) checkpoint = response.checkpoint();
          out.write(response.chunk().data(), static_cast<std::streamsize>(response.chunk().size()));
          if (out.good()) continue;
          out_failed = true;
          context.TryCancel();
          break;
        }
        return stream->Finish();
      });
  if (out_failed) return absl::UnknownError("the exported bytes could not be written: disk full?");
  if (!status.ok()) return status;
  return checkpoint;
}

absl::StatusOr<v1::Model> Client::Import(std::string_view name, std::istream& in) const {
  v1::ImportResponse response;
  // One attempt: what was read from `in` is gone.
  absl::Status status =
      Connection::CallOnce(options().long_timeout, [&](grpc::ClientContext& context) {
        auto stream = connection_->models().Import(&context, &response);
        auto request = Named<v1::ImportRequest>(name);
        std::string& chunk = *request.mutable_chunk();
        bool first = true;
        while (true) {
          chunk.resize(kChunkBytes);
          in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
          chunk.resize(static_cast<size_t>(in.gcount()));
          if (chunk.empty() && !first) break;
          if (!stream->Write(request)) break;
          request.clear_name();
          first = false;
        }
        stream->WritesDone();
        return stream->Finish();
      });
  if (!status.ok()) return status;
  return response.model();
}

absl::StatusOr<v1::TrainResponse> Client::Train(const v1::TrainRequest& request) const {
  return connection_->Unary(options().timeout, Repeatable::kYes, connection_->training(),
                            &v1::Training::Stub::Train, request);
}

absl::StatusOr<v1::FlushResponse> Client::Flush(std::string_view model) const {
  v1::FlushRequest request;
  request.set_model(std::string(model));
  return connection_->Unary(options().long_timeout, Repeatable::kYes, connection_->training(),
                            &v1::Training::Stub::Flush, request);
}

absl::StatusOr<v1::SourceProgress> Client::GetSource(std::string_view model,
                                                     std::string_view source) const {
  v1::GetSourceRequest request;
  request.set_model(std::string(model));
  request.set_source(std::string(source));
  auto response = connection_->Unary(options().timeout, Repeatable::kYes, connection_->training(),
                                     &v1::Training::Stub::GetSource, request);
  if (!response.ok()) return response.status();
  return response->progress();
}

absl::StatusOr<v1::EvaluateResponse> Client::Evaluate(std::string_view model, uint64_t min_position,
                                                      const PacketSource& next) const {
  v1::EvaluateResponse response;
  absl::Status status =
      Connection::CallOnce(options().long_timeout, [&](grpc::ClientContext& context) {
        auto stream = connection_->training().Evaluate(&context, &response);
        v1::EvaluateRequest request;
        request.set_model(std::string(model));
        request.set_min_position(min_position);
        LabelledRows packet;
        while (next(packet)) {
          request.set_rows(std::move(packet.rows));
          request.mutable_labels()->Assign(packet.labels.begin(), packet.labels.end());
          if (!stream->Write(request)) break;
          request.Clear();
          packet = {};
        }
        stream->WritesDone();
        return stream->Finish();
      });
  if (!status.ok()) return status;
  return response;
}

std::string_view ClientVersion() { return TALLY_VERSION; }

}  // namespace tally
