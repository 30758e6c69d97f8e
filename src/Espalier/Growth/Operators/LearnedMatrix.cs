using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>A matrix that learns by Adam, for as long as a growth takes.</summary>
/// <param name="value">Its start, (units or layers of the grown model, those of the old).</param>
internal sealed class LearnedMatrix(Tensor value) : IDisposable
{
    // PyTorch's.
    private const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;

    private readonly Tensor _mean = Tensor.ZerosLike(value), _meanSquare = Tensor.ZerosLike(value);

    /// <summary>(New, old).</summary>
    public Tensor Value { get; } = ParameterSet.Trainable(value);

    /// <summary>One update by its gradient, which it then drops.</summary>
    /// <param name="gradientScale">What the gradient is multiplied by.</param>
    /// <param name="rate">The learning rate.</param>
    /// <param name="step">The number of the update, from 1.</param>
    public void Learn(double gradientScale, double rate, long step)
    {
        Optimizers.AdamW(Value, Value.Grad!, _mean, _meanSquare, gradientScale, rate, Beta1, Beta2, Epsilon, weightDecay: 0, step);
        Value.ClearGrad();
    }

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        Value.Dispose();
        _mean.Dispose();
        _meanSquare.Dispose();
    }
}
