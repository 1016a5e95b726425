#pragma once

// HTTP/1.0 and 1.1 between bytes and messages, for connections that arrive in any cut. Parsing is
// Boost.Beast's; writing is ours (one append per part).
// Invariant: never holds more than kHttpHeaderLimit + kHttpBodyLimit bytes; after an error a reader stays
// in it, for the position in the stream is lost.

#include <memory>
#include <string>
#include <string_view>

#include "net/http/message.h"

namespace bt::net {

enum class HttpRead {
  kMore,            // all given bytes taken, message incomplete
  kDone,            // a message is ready: Take() it
  kMalformed,       // not HTTP: answer 400 and close
  kHeaderTooLarge,  // 431
  kBodyTooLarge,    // 413
};

class HttpRequestReader {
 public:
  HttpRequestReader();
  ~HttpRequestReader();
  HttpRequestReader(const HttpRequestReader&) = delete;
  HttpRequestReader& operator=(const HttpRequestReader&) = delete;

  // Takes bytes from the front of `bytes` (advancing it) up to the end of one message at most.
  HttpRead Read(std::string_view& bytes);
  // The message of the last kDone; the reader is then ready for the next.
  HttpRequest Take();
  // True once: the sender waits for "100 Continue" before it sends the body.
  bool TakeExpectContinue();
  // Nothing of a next message has arrived.
  bool idle() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class HttpResponseReader {
 public:
  HttpResponseReader();
  ~HttpResponseReader();
  HttpResponseReader(const HttpResponseReader&) = delete;
  HttpResponseReader& operator=(const HttpResponseReader&) = delete;

  HttpRead Read(std::string_view& bytes);
  // The connection ended: kDone if that completes a response without a length, else kMalformed.
  HttpRead End();
  HttpResponse Take();
  bool idle() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Appends to `out`. `keep_alive` false adds "Connection: close"; `head_only` leaves the body out.
void WriteHttpResponse(const HttpResponse& response, bool http_1_0, bool keep_alive, bool head_only,
                       std::string& out);
// `host`: for a request that names none itself.
void WriteHttpRequest(const HttpRequest& request, std::string_view host, std::string& out);

// True for a token as a header name is one, and for a value without control characters: what must hold
// before outside text is put in a header.
bool IsHttpHeaderValue(std::string_view value);

}  // namespace bt::net
