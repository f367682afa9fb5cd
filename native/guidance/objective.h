// The confidence objective of ConfiG (arXiv 2506.02294): high where the teacher is confident in class y and the
// student is not. The paper's exact form is not public; these are its known readings, to be maximised:
//
//   difference  t_y - f_y                          (gamma = 1 of both power forms, up to a constant)
//   power_max   t_y^gamma + (1 - f_y)^gamma
//   power_min   -((1 - t_y)^gamma + f_y^gamma)     (the penalty that power_max is often written as)
//   log         log t_y - log f_y
//
// Each is a sum of a term of the teacher and one of the student (`teacher` | `student`, without constants):
//
//   t_y | -f_y     t_y^gamma | (1 - f_y)^gamma     -(1 - t_y)^gamma | -f_y^gamma     log t_y | -log f_y
//
// One of them alone is the objective of an ablation.
#pragma once

#include <torch/torch.h>

namespace sparring {

enum class ObjectiveForm { difference, power_max, power_min, log };
enum class ObjectiveTerms { both, teacher, student };

struct Objective {
  ObjectiveForm form = ObjectiveForm::difference;
  double gamma = 2;  // exponent of the power forms
  ObjectiveTerms terms = ObjectiveTerms::both;

  bool has_teacher() const { return terms != ObjectiveTerms::student; }
  bool has_student() const { return terms != ObjectiveTerms::teacher; }

  // teacher_logits, student_logits: [B, K] fp32, those of a term that is left out are not read; classes: [B] int64 ->
  // score [B]
  at::Tensor operator()(const at::Tensor& teacher_logits, const at::Tensor& student_logits,
                        const at::Tensor& classes) const;
  // How far the goal is reached whatever the form, 0..1: max(0, t_y - f_y), where a term that is left out counts as
  // reached, so t_y alone and 1 - f_y alone. Arguments as above -> [B]
  at::Tensor reached(const at::Tensor& teacher_logits, const at::Tensor& student_logits, const at::Tensor& classes) const;
};

}  // namespace sparring
