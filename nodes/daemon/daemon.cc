#include "nodes/daemon/daemon.h"

#include <absl/strings/str_cat.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "net/loop.h"
#include "net/resolve.h"
#include "net/unix_socket.h"
#include "nodes/daemon/control_edge.h"
#include "nodes/daemon/data_edge.h"
#include "nodes/daemon/state_file.h"
#include "nodes/daemon/transfers.h"
#include "nodes/shared/files.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

constexpr const char* kCommand = "daemon";

// Who answers there is another daemon; a socket that nobody serves was left by one that was killed.
absl::StatusOr<net::Listener> ListenForControl(const std::string& path) {
  if (::mkdir(DirectoryOf(path).c_str(), 0700) != 0 && errno != EEXIST) {
    return FileError("make", DirectoryOf(path), errno);
  }
  if (net::ConnectUnix(path, Seconds(1)).ok()) {
    return absl::AlreadyExistsError(
        absl::StrCat(path, " is served by another daemon; name another --control"));
  }
  return net::ListenUnix(path);
}

absl::StatusOr<std::optional<Address>> WhereToListen(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const absl::StatusOr<Address> address = net::Resolve(text);
  if (!address.ok()) return address.status();
  return *address;
}

class Daemon {
 public:
  explicit Daemon(const DaemonOptions& options) : options_(options) {
    options_.state_dir = AbsolutePath(options_.state_dir);
    if (options_.control.empty()) options_.control = DefaultControlSocket();
    if (options_.control.empty()) options_.control = options_.state_dir + "/control.sock";
    options_.control = AbsolutePath(options_.control);
    options_.on_complete = AbsolutePath(options_.on_complete);
  }

  ExitStatus Run() {
    // Before threads are started.
    loop_.OnSignals({SIGINT, SIGTERM}, [this](int signal) { OnStopSignal(signal); });
    const absl::Status ready = Prepare();
    if (!ready.ok()) return Refuse(kCommand, ready, refused_);
    std::fprintf(stderr, "bytetorrent daemon: state in %s, peers come to %s\n",
                 Printable(options_.state_dir).c_str(), transfers_->listen().ToString().c_str());
    if (data_) {
      std::fprintf(stderr, "bytetorrent daemon: contents are read at http://%s/transfers/ID/data\n",
                   data_->address().ToString().c_str());
    }
    std::printf("serving %s\n", Printable(options_.control).c_str());
    std::fflush(stdout);
    loop_.Run();
    ::unlink(options_.control.c_str());
    // Content that is being looked at, or a name service that does not answer, changes nothing any more.
    if (transfers_->busy()) ::_exit(static_cast<int>(ExitStatus::kDone));
    return ExitStatus::kDone;
  }

 private:
  absl::Status Prepare() {
    if (!options_.on_complete.empty() && ::access(options_.on_complete.c_str(), X_OK) != 0) {
      refused_ = ExitStatus::kWrongUsage;
      return FileError("run", options_.on_complete, errno);
    }
    absl::StatusOr<net::Fd> lock = LockStateDirectory(options_.state_dir);
    if (!lock.ok()) return lock.status();
    lock_ = *std::move(lock);
    absl::StatusOr<DaemonState> state = LoadState(options_.state_dir);
    if (!state.ok()) return state.status();
    RemoveLeftovers(options_.state_dir, *state);
    if (options_.upload_limit != 0) state->upload_limit = options_.upload_limit;
    if (options_.download_limit != 0) state->download_limit = options_.download_limit;
    state->seed = options_.seed.Or(state->seed);
    const absl::StatusOr<std::optional<Address>> listen = WhereToListen(options_.listen);
    if (!listen.ok()) {
      refused_ = ExitStatus::kWrongUsage;
      return absl::InvalidArgumentError(
          absl::StrCat("--listen ", options_.listen, ": ", listen.status().message()));
    }
    std::optional<net::Listener> data;
    if (const absl::Status listening = ListenForReaders(data); !listening.ok()) return listening;
    absl::StatusOr<net::Listener> control = ListenForControl(options_.control);
    if (!control.ok()) return control.status();
    // Names in orders are never names of files where the daemon happened to be started.
    if (::chdir("/") != 0) return FileError("enter", "/", errno);
    transfers_ = std::make_unique<Transfers>(loop_, options_.state_dir, *std::move(state),
                                             options_.on_complete, [this] { loop_.Stop(); });
    absl::StatusOr<std::unique_ptr<PeerDoor>> door =
        PeerDoor::Open(loop_, *listen,
                       {[this](const InfoHash& hash, net::Accepted& accepted, const Address& peer) {
                          return transfers_->HandOver(hash, accepted, peer);
                        },
                        [this] { return transfers_->info_hashes(); }});
    if (!door.ok()) {
      ::unlink(options_.control.c_str());
      return absl::UnavailableError(
          absl::StrCat("--listen ", options_.listen, ": ", door.status().message()));
    }
    transfers_->Begin(*std::move(door));
    control_ = std::make_unique<ControlEdge>(loop_, *std::move(control), *transfers_, [this] { ShutDown(); });
    if (data) data_.emplace(loop_, *std::move(data), *transfers_);
    return absl::OkStatus();
  }

  absl::Status ListenForReaders(std::optional<net::Listener>& data) {
    if (options_.serve_data.empty()) return absl::OkStatus();
    const absl::StatusOr<Address> where = net::Resolve(options_.serve_data);
    absl::StatusOr<net::Listener> listener =
        where.ok() ? net::Listen(*where) : absl::StatusOr<net::Listener>(where.status());
    if (listener.ok()) {
      data = *std::move(listener);
      return absl::OkStatus();
    }
    if (!where.ok()) refused_ = ExitStatus::kWrongUsage;
    return absl::InvalidArgumentError(
        absl::StrCat("--serve-data ", options_.serve_data, ": ", listener.status().message()));
  }

  void OnStopSignal(int signal) {
    if (transfers_ == nullptr || transfers_->stopping()) ::_exit(static_cast<int>(StoppedBy(signal)));
    ShutDown();
  }

  void ShutDown() {
    std::fprintf(stderr, "bytetorrent daemon: stopping; it goes on from here when it is started again\n");
    control_->StopAccepting();
    if (data_) data_->StopAccepting();
    transfers_->Stop();
  }

  DaemonOptions options_;
  ExitStatus refused_ = ExitStatus::kFailed;
  net::Fd lock_;
  net::Loop loop_;
  std::unique_ptr<Transfers> transfers_;
  std::unique_ptr<ControlEdge> control_;
  std::optional<DataEdge> data_;
};

}  // namespace

std::string DefaultControlSocket() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime == nullptr || *runtime != '/') return "";
  return absl::StrCat(runtime, "/bytetorrent/control.sock");
}

ExitStatus RunDaemon(const DaemonOptions& options) { return Daemon(options).Run(); }

}  // namespace bt::nodes
