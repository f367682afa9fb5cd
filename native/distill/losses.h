// Losses of classification and distillation; all take fp32 logits [B, K] and return one loss for each image, [B].
#pragma once

#include <vector>

#include <torch/torch.h>

namespace sparring {

// What the student is to have in common with the teacher: its soft labels, or their correlations (DIST).
enum class Relation { soft_labels, correlations };

// Whose output the student learns on the counterpart of an image: the teacher's for the counterpart, or for the image.
enum class CounterpartTarget { own, image };

// EDRM's risk: cross-entropy to the teacher's soft labels, -t(x)^T log f(x), both at temperature T, scaled by T^2
// so that its gradient does not shrink with T (Hinton et al. 2015, arXiv 1503.02531).
inline at::Tensor distillation_loss(const at::Tensor& student_logits, const at::Tensor& teacher_logits, double temperature) {
  const auto target = at::softmax(teacher_logits / temperature, 1);
  return -(target * at::log_softmax(student_logits / temperature, 1)).sum(1) * (temperature * temperature);
}

// 1 - Pearson's correlation of the rows. [N, M], [N, M] -> [N]
inline at::Tensor correlation_distance(const at::Tensor& a, const at::Tensor& b) {
  return 1 - at::cosine_similarity(a - a.mean(1, true), b - b.mean(1, true), 1, 1e-8);
}

// DIST (Huang et al. 2022, arXiv 2205.10536, eq. 10 with beta = gamma = 1): the probabilities of each image over the classes, and those
// of each class over the images of the batch, are to correlate with the teacher's; scaled by T^2 as above. The second term
// belongs to the batch and counts alike for each of its images.
inline at::Tensor correlation_loss(const at::Tensor& student_logits, const at::Tensor& teacher_logits, double temperature) {
  const auto f = at::softmax(student_logits / temperature, 1), t = at::softmax(teacher_logits / temperature, 1);
  return (correlation_distance(f, t) + correlation_distance(f.t(), t.t()).mean()) * (temperature * temperature);
}

// Cross-entropy to the labels of a mixed view, each in its share: share CE(y) + (1 - share) CE(y of the partner).
// target, partner: [B] int64, share: [B]
inline at::Tensor mixed_cross_entropy(const at::Tensor& logits, const at::Tensor& target, const at::Tensor& partner, const at::Tensor& share) {
  const auto own = at::cross_entropy_loss(logits, target, {}, at::Reduction::None);
  const auto other = at::cross_entropy_loss(logits, target.index_select(0, partner), {}, at::Reduction::None);
  return share * own + (1 - share) * other;
}

// Jensen-Shannon divergence of the predictions for several views of the same images (AugMix, arXiv 1912.02781, eq. 1).
// The mixture is bounded below, or a prediction that is sure would cost too much.
inline at::Tensor consistency_loss(const std::vector<at::Tensor>& logits) {
  const auto log_p = at::log_softmax(at::stack(logits), 2);  // [views, B, K]
  const auto p = log_p.exp();
  const auto log_mixture = p.mean(0).clamp_min(1e-7).log();  // [B, K]
  return (p * (log_p - log_mixture)).sum(2).mean(0);
}

}  // namespace sparring
