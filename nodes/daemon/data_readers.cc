#include "nodes/daemon/data_readers.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "nodes/daemon/data_place.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/json_api.h"
#include "nodes/shared/text.h"

namespace bt::nodes {
namespace {

// How often it is looked whether what a reader waits for is there: what a machine reads back from its file it
// tells nobody.
constexpr Duration kPoll = Milliseconds(50);

std::string Tag(const DaemonTransfer& transfer) { return absl::StrCat("\"", transfer.content_id(), "\""); }

// nullopt: it is no number of seconds from 1 to the most.
std::optional<Duration> Patience(const Target& target) {
  const std::string* wait = target.Find("wait");
  uint32_t seconds = 0;
  if (wait == nullptr) return DataReaders::kPatience;
  if (!absl::SimpleAtoi(*wait, &seconds) || seconds == 0) return std::nullopt;
  return Seconds(seconds) > DataReaders::kPatienceMax ? std::nullopt : std::optional(Seconds(seconds));
}

net::HttpResponse DataResponse(const DaemonTransfer& transfer, uint64_t length,
                               const std::optional<ByteRange>& range) {
  net::HttpResponse response;
  response.status = range ? 206 : 200;
  response.content_type = "application/octet-stream";
  response.headers.push_back({std::string(kApiHeader), std::string(kApiVersion)});
  response.headers.push_back({"Accept-Ranges", "bytes"});
  response.headers.push_back({"ETag", Tag(transfer)});
  if (range) {
    response.headers.push_back(
        {"Content-Range",
         absl::StrCat("bytes ", range->first, "-", range->first + range->length - 1, "/", length)});
  }
  response.body_in_parts = range ? range->length : length;
  return response;
}

int StatusOfPlace(const absl::Status& status) {
  return absl::IsNotFound(status) ? 404 : absl::IsInvalidArgument(status) ? 400 : 409;
}

}  // namespace

DataReaders::DataReaders(net::Loop& loop, net::HttpServer& server, Transfers& transfers)
    : loop_(loop), server_(server), transfers_(transfers), poll_(loop, [this] { OnPoll(); }) {}

void DataReaders::Begin(net::HttpExchange exchange, const net::HttpRequest& request, const Target& target,
                        uint64_t id) {
  const Reader nobody;
  if (request.method != "GET" && request.method != "HEAD") {
    GiveUp(exchange, nobody, 405, "not by that method");
    return;
  }
  const std::optional<Duration> patience = Patience(target);
  if (!patience) {
    GiveUp(exchange, nobody, 400, "wait is a number of seconds, 1 to 3600");
    return;
  }
  if (readers_.size() >= kReadersMax) {
    GiveUp(exchange, nobody, 503, absl::StrCat(kReadersMax, " readers are there already; come again later"));
    return;
  }
  Reader reader;
  reader.transfer = id;
  reader.path = absl::StrJoin(target.path.begin() + 3, target.path.end(), "/");
  reader.range = request.Header("Range");
  reader.if_range = request.Header("If-Range");
  reader.head_only = request.method == "HEAD";
  reader.patience = *patience;
  reader.deadline = loop_.now() + *patience;
  readers_.emplace(exchange, std::move(reader));
  GoOn(exchange);
}

void DataReaders::More(net::HttpExchange exchange) {
  const auto found = readers_.find(exchange);
  if (found == readers_.end()) return;
  found->second.wants = true;
  found->second.deadline = loop_.now() + found->second.patience;
  GoOn(exchange);
}

void DataReaders::GoOn(net::HttpExchange exchange) {
  const auto found = readers_.find(exchange);
  if (found == readers_.end()) return;
  if (Advance(exchange, found->second) == Step::kDone) {
    readers_.erase(exchange);  // an aborted one is gone already
  } else if (found->second.wants && !poll_.armed()) {
    poll_.Arm(loop_.now() + kPoll);
  }
}

void DataReaders::OnPoll() {
  std::vector<net::HttpExchange> waiting;
  for (const auto& [exchange, reader] : readers_) {
    if (reader.wants) waiting.push_back(exchange);
  }
  for (const net::HttpExchange exchange : waiting) GoOn(exchange);
}

DataReaders::Step DataReaders::Advance(net::HttpExchange exchange, Reader& reader) {
  DaemonTransfer* transfer = transfers_.Find(reader.transfer);
  if (transfer == nullptr) return GiveUp(exchange, reader, 404, "it was removed meanwhile");
  const absl::Status may = transfer->MayBeRead();
  if (!may.ok()) return GiveUp(exchange, reader, 409, Message(may));
  if (!reader.begun) return Start(exchange, reader, *transfer);
  net::FileRange part = transfer->Readable(reader.at, std::min(kPartBytes, reader.end - reader.at));
  if (part.length == 0) {
    return loop_.now() < reader.deadline ? Step::kWaits : GiveUp(exchange, reader, 503, "too late");
  }
  reader.at += part.length;
  reader.wants = false;
  server_.ReplyPart(exchange, std::move(part));
  return reader.at == reader.end ? Step::kDone : Step::kWaits;
}

// Answers nothing before the first byte is there: until then it can still be said what goes wrong.
DataReaders::Step DataReaders::Start(net::HttpExchange exchange, Reader& reader, DaemonTransfer& transfer) {
  const bool late = loop_.now() >= reader.deadline;
  const swarm::OpenFile* content = transfer.content();
  if (content == nullptr) {
    if (!late) return Step::kWaits;
    return GiveUp(exchange, reader, 503, "nobody has told yet what it is made of; come again later");
  }
  const absl::StatusOr<DataPlace> place = FindData(*content, reader.path);
  if (!place.ok()) return GiveUp(exchange, reader, StatusOfPlace(place.status()), Message(place.status()));
  // Part of another content than the asker has the rest of would be worth nothing (RFC 9110, 13.1.5).
  const bool same = reader.if_range.empty() || reader.if_range == Tag(transfer);
  const absl::StatusOr<std::optional<ByteRange>> range =
      same ? ParseRange(reader.range, place->length) : std::optional<ByteRange>();
  if (!range.ok()) {
    net::HttpResponse response = ApiResponse(416, WriteError("there is no such byte"));
    response.headers.push_back({"Content-Range", absl::StrCat("bytes */", place->length)});
    server_.Reply(exchange, response);
    return Step::kDone;
  }
  const net::HttpResponse response = DataResponse(transfer, place->length, *range);
  reader.at = place->offset + (*range ? (*range)->first : 0);
  reader.end = reader.at + response.body_in_parts;
  if (reader.head_only || response.body_in_parts == 0) {
    server_.Reply(exchange, response);
    return Step::kDone;
  }
  if (transfer.Readable(reader.at, 1).length == 0) {
    if (!late) return Step::kWaits;
    return GiveUp(exchange, reader, 503, "the first byte of it is not there yet; come again later");
  }
  reader.begun = true;
  reader.wants = false;
  server_.Reply(exchange, response);
  return Step::kWaits;
}

DataReaders::Step DataReaders::GiveUp(net::HttpExchange exchange, const Reader& reader, int status,
                                      std::string_view why) {
  if (reader.begun) {
    server_.Abort(exchange);
    return Step::kDone;
  }
  net::HttpResponse response = ApiResponse(status, WriteError(why));
  if (status == 503) response.headers.push_back({"Retry-After", "5"});
  server_.Reply(exchange, response);
  return Step::kDone;
}

}  // namespace bt::nodes
