#include "guidance/objective.h"

namespace sparring {
namespace {

// [B, K], [B] -> [B]. Not by gather(), whose deterministic gradient on a GPU has the host look at the classes: it waits, and
// nothing of the kind can be recorded (ops/graph.h).
at::Tensor log_class_probability(const at::Tensor& logits, const at::Tensor& classes) {
  return -at::nll_loss(at::log_softmax(logits, 1), classes, {}, at::Reduction::None);
}

// The derivative of x^gamma with gamma < 1 is infinite at 0; a floor keeps saturated probabilities finite.
at::Tensor power(const at::Tensor& probability, double gamma) { return probability.clamp_min(1e-12).pow(gamma); }

at::Tensor class_probability(const at::Tensor& logits, const at::Tensor& classes) {
  return log_class_probability(logits, classes).exp();
}

at::Tensor teacher_term(const Objective& objective, const at::Tensor& logits, const at::Tensor& classes) {
  if (objective.form == ObjectiveForm::log) return log_class_probability(logits, classes);
  const auto probability = class_probability(logits, classes);  // t_y
  switch (objective.form) {
    case ObjectiveForm::power_max:
      return power(probability, objective.gamma);
    case ObjectiveForm::power_min:
      return -power(1 - probability, objective.gamma);
    default:
      return probability;
  }
}

at::Tensor student_term(const Objective& objective, const at::Tensor& logits, const at::Tensor& classes) {
  if (objective.form == ObjectiveForm::log) return -log_class_probability(logits, classes);
  const auto probability = class_probability(logits, classes);  // f_y
  switch (objective.form) {
    case ObjectiveForm::power_max:
      return power(1 - probability, objective.gamma);
    case ObjectiveForm::power_min:
      return -power(probability, objective.gamma);
    default:
      return -probability;
  }
}

}  // namespace

at::Tensor Objective::operator()(const at::Tensor& teacher_logits, const at::Tensor& student_logits,
                                 const at::Tensor& classes) const {
  if (!has_student()) return teacher_term(*this, teacher_logits, classes);
  if (!has_teacher()) return student_term(*this, student_logits, classes);
  return teacher_term(*this, teacher_logits, classes) + student_term(*this, student_logits, classes);
}

at::Tensor Objective::reached(const at::Tensor& teacher_logits, const at::Tensor& student_logits, const at::Tensor& classes) const {
  if (!has_student()) return class_probability(teacher_logits, classes);
  if (!has_teacher()) return 1 - class_probability(student_logits, classes);
  return (class_probability(teacher_logits, classes) - class_probability(student_logits, classes)).clamp_min(0);
}

}  // namespace sparring
