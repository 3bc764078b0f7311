#include "daemon/rpc/server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

#include "daemon/rpc/inference_service.h"
#include "daemon/rpc/models_service.h"
#include "daemon/rpc/training_service.h"
#include "daemon/rpc/work_pool.h"

namespace tally::rpc {
namespace {

constexpr size_t kPoolThreads = 4;
constexpr size_t kPoolPendingMax = 64;
// Evaluates that may wait for their position at the same time.
constexpr size_t kWaitersMax = 4;
// Above our own limit of 4 MiB, so that ours, which explains itself, strikes first.
constexpr int kTransportMessageBytes = 8 << 20;
constexpr int kStreamsPerConnection = 256;
// A board on Wi-Fi pings every 60 s; anything faster than 30 s is abuse.
constexpr int kKeepalivePermitMs = 30000;
constexpr int kThreadsMax = 32;
// Above what 128 connections need by far; gRPC sheds load beyond it instead of growing on.
constexpr size_t kTransportMemoryBytes = size_t{128} << 20;
constexpr uint64_t kDrainPollMs = 5;
// For answers that are on their way when the last call that may last has ended.
constexpr uint64_t kLastAnswersMs = 100;

// gRPC's reflection library, once linked, adds itself to every server of the process.
class WithoutReflection : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins,
                  [](const auto& plugin) { return plugin->name() == "proto_server_reflection"; });
  }
};

// The last server to go would tear gRPC down, which waits for its helper thread: up to 10 s after a
// large write. A reference that is never given back leaves the end of the process to the system.
void KeepLibrary() {
  static std::once_flag once;
  std::call_once(once, grpc_init);
}

void SetArguments(grpc::ServerBuilder& builder) {
  // Bandwidth probing grows the buffers of each connection without gain on these links: with these
  // two the peak memory under 8 clients falls from 91 to 23 MB at the same throughput.
  builder.AddChannelArgument("grpc.http2.bdp_probe", 0);
  builder.AddChannelArgument("grpc.http2.lookahead_bytes", 65536);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kKeepalivePermitMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.SetMaxReceiveMessageSize(kTransportMessageBytes);
  grpc::ResourceQuota quota("tallyd");
  quota.SetMaxThreads(kThreadsMax);
  quota.Resize(kTransportMemoryBytes);
  builder.SetResourceQuota(quota);
}

}  // namespace

struct Server::Impl {
  Impl(Catalog& catalog_in, LiveLimits& limits, Health& health_in, storage::Clock& clock,
       const ServerOptions& options)
      : catalog(catalog_in),
        health(health_in),
        pool(kPoolThreads, kPoolPendingMax),
        waiters(kWaitersMax, kWaitersMax),
        lane(1, 0),
        environment{&catalog_in,
                    &health_in,
                    &limits,
                    &clock,
                    &pool,
                    &waiters,
                    &lane,
                    &open_calls,
                    options.buffered_by_default ? v1::DURABILITY_BUFFERED : v1::DURABILITY_DURABLE,
                    options.version},
        training(environment),
        models(environment),
        inference(environment) {}

  Catalog& catalog;
  Health& health;
  std::atomic<uint64_t> open_calls{0};
  WorkPool pool;
  WorkPool waiters;
  WorkPool lane;
  const ServiceEnvironment environment;
  TrainingService training;
  ModelsService models;
  InferenceService inference;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> server;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Catalog& catalog, LiveLimits& limits,
                                                      Health& health, storage::Clock& clock,
                                                      const ServerOptions& options) {
  KeepLibrary();
  grpc::EnableDefaultHealthCheckService(true);
  auto impl = std::make_unique<Impl>(catalog, limits, health, clock, options);
  grpc::ServerBuilder builder;
  SetArguments(builder);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  if (!options.reflection) builder.SetOption(std::make_unique<WithoutReflection>());
  builder.RegisterService(&impl->training);
  builder.RegisterService(&impl->models);
  builder.RegisterService(&impl->inference);
  impl->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr) return absl::InternalError("gRPC could not start its server");
  health.Attach(impl->server->GetHealthCheckService());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::~Server() {
  Shutdown(0);
  impl_->health.Detach();
}

void Server::HandleConnection(int fd, int listener_fd) {
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.fd = fd;
  parameters.listener_fd = listener_fd;
  impl_->acceptor->HandleNewConnection(&parameters);
}

void Server::BeginDrain() {
  impl_->catalog.BeginDrain();
  impl_->training.BeginDrain();
}

void Server::Shutdown(uint64_t timeout_ms) {
  // Not left to gRPC alone: it would wait for idle connections too, whose clients may be asleep.
  storage::Clock& clock = *impl_->environment.clock;
  const int64_t end_ns = clock.MonotonicNs() + static_cast<int64_t>(timeout_ms) * 1'000'000;
  while (impl_->open_calls.load() > 0 && clock.MonotonicNs() < end_ns) clock.SleepMs(kDrainPollMs);
  const auto last_answers = std::chrono::milliseconds(timeout_ms == 0 ? 0 : kLastAnswersMs);
  impl_->server->Shutdown(std::chrono::system_clock::now() + last_answers);
}

}  // namespace tally::rpc
