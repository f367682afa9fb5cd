#include "node/engine.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>

#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include "node/values.h"
#include "ops/exactness.h"

namespace sparring::node {

// ---------------------------------------------------------------- engine thread

Engine& Engine::instance() {
  static auto* engine = new Engine;
  return *engine;
}

Engine::Engine() {
#ifdef __GLIBC__
  // What is no tensor is allocated and freed at every step too; without this glibc returns it to the kernel each time.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
  std::thread([this] { run(); }).detach();
}

void Engine::submit(std::unique_ptr<Job> job) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Engine::drain(const Session* session) {
  std::unique_lock lock(mutex_);
  std::erase_if(queue_, [&](const auto& job) { return job->session.get() == session; });
  idle_.wait(lock, [&] { return running_ != session; });
}

bool Engine::busy() {
  std::lock_guard lock(mutex_);
  return running_ != nullptr || !queue_.empty();
}

void Engine::exit_at_once_when_busy() {
  ::on_exit([](int status, void*) {
    if (!instance().busy()) return;
    std::fflush(nullptr);
    ::_exit(status);
  }, nullptr);
}

void Engine::run() {
  while (true) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return !queue_.empty(); });
      job = std::move(queue_.front());
      queue_.pop_front();
      running_ = job->session.get();
    }
    try {
      job->context.check();
      allow_inexact(false);  // a backward pass that failed may have left it allowed
      job->session->post_result(job->id, job->work(job->context));
    } catch (...) {
      job->session->post_error(job->id, current_error());
    }
    job->work = nullptr;  // release tensors before the thread goes idle
    {
      std::lock_guard lock(mutex_);
      running_ = nullptr;
    }
    idle_.notify_all();
  }
}

// ---------------------------------------------------------------- session

struct Session::Event {
  uint64_t job;
  enum class Kind { progress, result, error } kind;
  int64_t done = 0, total = 0;
  Finish finish;
  Error error{"internal", ""};
};

std::shared_ptr<Session> Session::create(Napi::Env env) {
  auto session = std::make_shared<Session>();
  session->channel_ = Channel::New(env, "sparring", /*maxQueueSize=*/0, /*initialThreadCount=*/1, session.get());
  session->channel_.Unref(env);
  // The hook owns one reference, so the Session outlives everything that the environment can still call.
  env.AddCleanupHook([](std::shared_ptr<Session>* owner) {
    (*owner)->close();
    delete owner;
  }, new std::shared_ptr<Session>(session));
  return session;
}

void Session::close() {
  closing_ = true;
  for (auto& [id, pending] : pending_) pending.cancelled->store(true);
  Engine::instance().drain(this);
  pending_.clear();
}

Napi::Value Session::submit(Napi::Env env, const Napi::Value& control, Work work) {
  auto job = std::make_unique<Job>();
  job->id = next_id_++;
  job->session = shared_from_this();
  job->work = std::move(work);

  Pending pending{Napi::Promise::Deferred::New(env), {}, {}};
  if (control.IsObject()) {
    const auto object = control.As<Napi::Object>();
    if (const Napi::Value token = object.Get("token"); token.IsExternal()) {
      job->context.cancelled = unwrap<std::atomic<bool>>(token, "token");
    }
    if (const Napi::Value callback = object.Get("onProgress"); callback.IsFunction()) {
      pending.on_progress = Napi::Persistent(callback.As<Napi::Function>());
      using Clock = std::chrono::steady_clock;
      // At most ten events a second and the last one, however fast the job reports.
      job->context.progress = [session = this, id = job->id, last = Clock::time_point{}](int64_t done, int64_t total) mutable {
        const auto now = Clock::now();
        if (done < total && now - last < std::chrono::milliseconds(100)) return;
        last = now;
        session->post_progress(id, done, total);
      };
    }
  }
  pending.cancelled = job->context.cancelled;
  const auto promise = pending.deferred.Promise();
  if (pending_.empty()) channel_.Ref(env);  // keep the event loop alive while a job is pending
  pending_.emplace(job->id, std::move(pending));
  Engine::instance().submit(std::move(job));
  return promise;
}

void Session::post(Event* event) {
  if (channel_.NonBlockingCall(event) != napi_ok) delete event;
}
void Session::post_progress(uint64_t job, int64_t done, int64_t total) {
  post(new Event{job, Event::Kind::progress, done, total, nullptr});
}
void Session::post_result(uint64_t job, Finish finish) { post(new Event{job, Event::Kind::result, 0, 0, std::move(finish)}); }
void Session::post_error(uint64_t job, const Error& error) { post(new Event{job, Event::Kind::error, 0, 0, nullptr, error}); }

void Session::call_js(Napi::Env env, Napi::Function, Session* session, Event* event) {
  const std::unique_ptr<Event> owned(event);
  if (static_cast<napi_env>(env) != nullptr) session->deliver(env, *event);
}

Napi::Promise::Deferred Session::settle(Napi::Env env, uint64_t job) {
  const auto found = pending_.find(job);
  const auto deferred = found->second.deferred;
  pending_.erase(found);
  if (pending_.empty()) channel_.Unref(env);
  return deferred;
}

void Session::deliver(Napi::Env env, Event& event) {
  const auto found = pending_.find(event.job);
  if (closing_ || found == pending_.end()) return;
  if (event.kind == Event::Kind::progress) {
    try {
      found->second.on_progress.Call({Napi::Number::New(env, static_cast<double>(event.done)), Napi::Number::New(env, static_cast<double>(event.total))});
    } catch (const Napi::Error& thrown) {  // by the callback: the job ends with the caller's own error
      found->second.cancelled->store(true);
      settle(env, event.job).Reject(thrown.Value());
    }
    return;
  }
  const auto deferred = settle(env, event.job);
  if (event.kind == Event::Kind::error) {
    deferred.Reject(to_js(env, event.error));
    return;
  }
  try {
    deferred.Resolve(event.finish(env));
  } catch (...) {
    deferred.Reject(to_js(env, current_error()));
  }
}

// ---------------------------------------------------------------- errors

constexpr auto kMemoryHint = "Lower batchSize, or guidance.memoryBytes for chain guidance.";

Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const Napi::Error& error) {
    return {"internal", error.Message()};
  } catch (const c10::OutOfMemoryError& error) {
    return {"out-of-memory", error.what_without_backtrace(), kMemoryHint};
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    if (message.find("DefaultCPUAllocator") != std::string::npos) return {"out-of-memory", message, kMemoryHint};
    return {"torch", message};
  } catch (const std::bad_alloc&) {
    return {"out-of-memory", "Out of memory.", kMemoryHint};
  } catch (const std::exception& error) {
    return {"internal", error.what()};
  } catch (...) {
    return {"internal", "An unknown native error."};
  }
}

Napi::Value to_js(Napi::Env env, const Error& error) {
  auto value = Napi::Error::New(env, error.what()).Value();
  value.Set("sparringCode", error.code);
  if (!error.hint.empty()) value.Set("hint", error.hint);
  return value;
}

}  // namespace sparring::node
