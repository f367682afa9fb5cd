// One thread owns all LibTorch work of the process, in the order of submission. Each environment (the main thread
// and every worker thread) has a Session that carries results back to it.
//
// Life and death, the part that is easy to get wrong:
// - The Engine is leaked on purpose: process.exit() in mid-job must not join a thread from a static destructor.
// - process.exit() in mid-job must not run LibTorch's destructors either, while the engine thread still computes with
//   what they destroy: see exit_at_once_when_busy().
// - A Session's cleanup hook is registered after its thread-safe function, so it runs first (hooks run last-in
//   first-out): it cancels the session's jobs and waits for the running one, after which nothing can call a
//   function that the environment is about to free (worker.terminate()).
// - What belongs to JavaScript (promises, callbacks) stays in the Session and is touched on its thread only.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include <napi.h>

#include "job.h"

namespace sparring::node {

using Finish = std::function<Napi::Value(Napi::Env)>;       // builds the result, on the JavaScript thread
using Work = std::function<Finish(const JobContext&)>;      // computes it, on the engine thread

class Session;

struct Job {
  uint64_t id;
  std::shared_ptr<Session> session;
  JobContext context;
  Work work;
};

class Engine {
 public:
  static Engine& instance();
  void submit(std::unique_ptr<Job> job);
  // Drops the session's waiting jobs and waits until none of its jobs runs.
  void drain(const Session* session);
  // To be called when the process is about to exit: if there is work then, no destructors run. What was registered
  // last runs first, so calling this any earlier would leave destructors that run before it.
  void exit_at_once_when_busy();

 private:
  Engine();
  bool busy();
  void run();

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::unique_ptr<Job>> queue_;
  const Session* running_ = nullptr;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  static std::shared_ptr<Session> create(Napi::Env env);

  // Queues `work`; returns its promise. `control` is undefined or {token?, onProgress?}.
  Napi::Value submit(Napi::Env env, const Napi::Value& control, Work work);

  // From the engine thread.
  void post_progress(uint64_t job, int64_t done, int64_t total);
  void post_result(uint64_t job, Finish finish);
  void post_error(uint64_t job, const Error& error);

 private:
  struct Event;
  struct Pending {  // JavaScript's side of a job
    Napi::Promise::Deferred deferred;
    Napi::FunctionReference on_progress;
    std::shared_ptr<std::atomic<bool>> cancelled;
  };
  static void call_js(Napi::Env env, Napi::Function, Session* session, Event* event);
  using Channel = Napi::TypedThreadSafeFunction<Session, Event, call_js>;

  void post(Event* event);
  void deliver(Napi::Env env, Event& event);
  Napi::Promise::Deferred settle(Napi::Env env, uint64_t job);
  void close();

  Channel channel_;
  std::map<uint64_t, Pending> pending_;
  uint64_t next_id_ = 1;
  bool closing_ = false;
};

// Maps whatever a job threw to one Error with a stable code and no C++ backtrace.
Error current_error();
// The JavaScript error for it; lib/native turns it into a SparringError.
Napi::Value to_js(Napi::Env env, const Error& error);

}  // namespace sparring::node
