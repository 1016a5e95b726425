#include "net/http/codec.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstring>
#include <iterator>
#include <optional>

#include "core/base/check.h"

namespace bt::net {

namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

HttpRead ErrorOf(const beast::error_code& error) {
  if (error == http::error::header_limit) return HttpRead::kHeaderTooLarge;
  if (error == http::error::body_limit) return HttpRead::kBodyTooLarge;
  return HttpRead::kMalformed;
}

std::string ToString(beast::string_view text) { return std::string(text.data(), text.size()); }

// What requests and responses share: a parser per message, and the header bytes that arrived before the
// header was complete (the parser wants a header's lines whole).
template <bool kIsRequest>
class Reader {
 public:
  using Parser = http::parser<kIsRequest, http::string_body>;

  HttpRead Read(std::string_view& bytes) {
    if (failed_) return *failed_;
    if (done_) return HttpRead::kDone;
    if (!parser_) {
      // A client may send empty lines before a message (RFC 9112, 2.2).
      while (!bytes.empty() && (bytes.front() == '\r' || bytes.front() == '\n')) bytes.remove_prefix(1);
      if (bytes.empty()) return HttpRead::kMore;
      Start();
    }
    if (pending_.empty()) {
      std::string_view rest = bytes;
      const HttpRead result = Parse(rest);
      if (result == HttpRead::kMore) {
        pending_.assign(rest);
        rest = {};
      }
      bytes = rest;
      return result;
    }
    pending_.append(bytes);
    std::string_view rest = pending_;
    const HttpRead result = Parse(rest);
    if (result == HttpRead::kDone) {
      // What is left arrived just now: had it been there before, the message had been complete then.
      CHECK(rest.size() <= bytes.size());
      bytes.remove_prefix(bytes.size() - rest.size());
      pending_.clear();
    } else {
      pending_.erase(0, pending_.size() - rest.size());
      bytes = {};
    }
    return result;
  }

  HttpRead End() {
    if (failed_) return *failed_;
    if (!parser_) return HttpRead::kMalformed;
    beast::error_code error;
    parser_->put_eof(error);
    if (error || !parser_->is_done()) return Fail(HttpRead::kMalformed);
    return Finish();
  }

  bool idle() const { return !parser_; }
  Parser& parser() { return *parser_; }
  bool header_done() const { return parser_ && parser_->is_header_done(); }
  bool body_started() const { return body_started_; }

  void Reset() {
    parser_.reset();
    pending_.clear();
    done_ = false;
    body_started_ = false;
  }

 private:
  void Start() {
    parser_.emplace();
    parser_->header_limit(kHttpHeaderLimit);
    parser_->body_limit(kHttpBodyLimit);
    parser_->eager(false);
  }

  HttpRead Finish() {
    done_ = true;
    return HttpRead::kDone;
  }

  HttpRead Fail(HttpRead why) {
    failed_ = why;
    return why;
  }

  // Feeds the parser from the front of `rest`. On kMore, `rest` is what the parser wants to see again
  // together with what follows it (an unfinished header or chunk header).
  HttpRead Parse(std::string_view& rest) {
    while (!parser_->is_done()) {
      if (rest.empty()) return HttpRead::kMore;
      body_started_ = body_started_ || parser_->is_header_done();
      beast::error_code error;
      const size_t used = parser_->put(boost::asio::const_buffer(rest.data(), rest.size()), error);
      rest.remove_prefix(used);
      if (error == http::error::need_more) {
        return rest.size() > kHttpHeaderLimit ? Fail(HttpRead::kMalformed) : HttpRead::kMore;
      }
      if (error) return Fail(ErrorOf(error));
    }
    return Finish();
  }

  std::optional<Parser> parser_;
  std::string pending_;  // at most kHttpHeaderLimit
  bool done_ = false;
  bool body_started_ = false;
  std::optional<HttpRead> failed_;
};

template <class Message>
std::vector<HttpHeader> HeadersOf(const Message& message) {
  std::vector<HttpHeader> headers;
  headers.reserve(static_cast<size_t>(std::distance(message.begin(), message.end())));
  for (const auto& field : message)
    headers.push_back({ToString(field.name_string()), ToString(field.value())});
  return headers;
}

void AppendHeader(std::string_view name, std::string_view value, std::string& out) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

struct HttpRequestReader::State : Reader<true> {
  bool continue_told = false;
};
struct HttpResponseReader::State : Reader<false> {};

HttpRequestReader::HttpRequestReader() : state_(std::make_unique<State>()) {}
HttpRequestReader::~HttpRequestReader() = default;
HttpRead HttpRequestReader::Read(std::string_view& bytes) { return state_->Read(bytes); }
bool HttpRequestReader::idle() const { return state_->idle(); }

HttpRequest HttpRequestReader::Take() {
  auto message = state_->parser().release();
  HttpRequest request;
  request.method = ToString(message.method_string());
  request.target = ToString(message.target());
  request.http_1_0 = message.version() < 11;
  request.keep_alive = message.keep_alive();
  request.headers = HeadersOf(message);
  request.body = std::move(message.body());
  state_->Reset();
  state_->continue_told = false;
  return request;
}

bool HttpRequestReader::TakeExpectContinue() {
  if (state_->continue_told || !state_->header_done() || state_->body_started()) return false;
  const auto& message = state_->parser().get();
  if (message.version() < 11 || !beast::iequals(message[http::field::expect], "100-continue")) return false;
  state_->continue_told = true;
  return true;
}

HttpResponseReader::HttpResponseReader() : state_(std::make_unique<State>()) {}
HttpResponseReader::~HttpResponseReader() = default;
HttpRead HttpResponseReader::Read(std::string_view& bytes) { return state_->Read(bytes); }
HttpRead HttpResponseReader::End() { return state_->End(); }
bool HttpResponseReader::idle() const { return state_->idle(); }

HttpResponse HttpResponseReader::Take() {
  const bool ended_by_close = state_->parser().need_eof();
  auto message = state_->parser().release();
  HttpResponse response;
  response.status = static_cast<int>(message.result_int());
  response.keep_alive = message.keep_alive() && !ended_by_close;
  response.headers = HeadersOf(message);
  response.content_type = ToString(message[http::field::content_type]);
  response.body = std::move(message.body());
  state_->Reset();
  return response;
}

void WriteHttpResponse(const HttpResponse& response, bool http_1_0, bool keep_alive, bool head_only,
                       std::string& out) {
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(HttpReason(response.status)).append("\r\n");
  AppendHeader("Content-Type", response.content_type, out);
  AppendHeader("Content-Length", std::to_string(response.body.size() + response.body_in_parts), out);
  for (const HttpHeader& header : response.headers) AppendHeader(header.name, header.value, out);
  if (!keep_alive) {
    out.append("Connection: close\r\n");
  } else if (http_1_0) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
  if (!head_only) out.append(response.body);
}

void WriteHttpRequest(const HttpRequest& request, std::string_view host, std::string& out) {
  out.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\n");
  if (request.Header("Host").empty()) AppendHeader("Host", host, out);
  for (const HttpHeader& header : request.headers) AppendHeader(header.name, header.value, out);
  if (!request.body.empty() || request.method == "PUT" || request.method == "POST") {
    AppendHeader("Content-Length", std::to_string(request.body.size()), out);
  }
  if (!request.keep_alive) out.append("Connection: close\r\n");
  out.append("\r\n").append(request.body);
}

bool IsHttpHeaderValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t';
  });
}

}  // namespace bt::net
