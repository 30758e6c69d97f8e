namespace Espalier.Evaluation;

/// <summary>How a model does on a text, for comparison with itself after growth.</summary>
/// <param name="Loss">Nats a prediction.</param>
/// <param name="GradientNorm">The Euclidean norm of the gradient of that loss, without dropout.</param>
public sealed record ModelMeasure(double Loss, double GradientNorm);
