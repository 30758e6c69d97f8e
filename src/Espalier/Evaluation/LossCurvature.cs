using Espalier.Models;
using Espalier.Torch;
using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Evaluation;

/// <summary>
/// The Hessian of a model's mean loss on a batch, by what it makes of vectors: H v is the difference of the gradients a small way
/// ahead along v and behind. In single precision; every layer that a plan executes has weights of its own.
/// </summary>
internal sealed class LossCurvature : IDisposable
{
    // For a vector of length 1. Less is lost in the rounding of gradients, more in what lies beyond the second order.
    private const double Way = 3e-3;

    private readonly Model _model;
    private readonly ModelBatch _batch;
    private readonly ForwardPlan _plan;
    private readonly float[][] _weights;

    /// <summary>Takes copies of a model's weights.</summary>
    /// <param name="model">The model.</param>
    /// <param name="plan">What runs, plain layers.</param>
    /// <param name="batch">What the loss is of.</param>
    public LossCurvature(Model model, ForwardPlan plan, ModelBatch batch)
    {
        ModelConfig config = model.Config with { Layers = plan.Depth };
        var own = new ParameterSet(model.Parameters.Unroll(model.Architecture.Parameters(config), plan)
            .Select(parameter => parameter with { Value = ParameterSet.Trainable(parameter.Value.Detach().Clone()) }));
        (_model, _batch, _plan) = (model with { Config = config, Parameters = own }, batch, ForwardPlan.Plain(plan.Depth));
        _weights = [.. own.Select(parameter => parameter.Value.ToArray<float>())];
    }

    /// <summary>How many weights there are: the length of vectors, which hold those of each parameter in their order.</summary>
    public int Size => _weights.Sum(weights => weights.Length);

    /// <summary>H v.</summary>
    /// <param name="vector">v, of length 1.</param>
    public double[] Product(ReadOnlySpan<double> vector)
    {
        float[] ahead = GradientAt(vector, Way), behind = GradientAt(vector, -Way);
        return [.. ahead.Zip(behind, (a, b) => ((double)a - b) / (2 * Way))];
    }

    /// <summary>
    /// The largest eigenvalue, the sharpness, by Lanczos's method: the best estimate that so many products of H can give, where power
    /// iteration has but the last of them. It comes from below.
    /// </summary>
    /// <param name="products">How many.</param>
    /// <param name="seed">Of the vector to begin with.</param>
    public double Sharpness(int products, ulong seed = 1)
    {
        var drawn = new float[Size];
        new CounterRandom(seed, RandomPurpose.Initialization, 0).FillNormal(drawn, 1);
        double[] vector = [.. drawn.Select(value => (double)value)];
        Scale(vector, 1 / Math.Sqrt(Dot(vector, vector)));
        List<double[]> basis = [];
        Matrix<double> within = Matrix<double>.Build.Dense(products, products);
        while (true)
        {
            double[] next = Product(vector);
            int last = basis.Count;
            basis.Add(vector);
            within[last, last] = Dot(vector, next);

            // Twice, for once leaves what rounding makes of it.
            foreach (double[] other in basis.Concat(basis))
            {
                Add(next, other, -Dot(next, other));
            }

            double length = Math.Sqrt(Dot(next, next));
            if (basis.Count == products || length <= 1e-6 * Math.Abs(within[0, 0]))
            {
                return within.SubMatrix(0, basis.Count, 0, basis.Count).Evd(Symmetricity.Symmetric).EigenValues.Max(value => value.Real);
            }

            within[last, last + 1] = within[last + 1, last] = length;
            Scale(next, 1 / length);
            vector = next;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _model.Dispose();

    private float[] GradientAt(ReadOnlySpan<double> vector, double way)
    {
        using var scope = new TensorScope();
        Move(vector, way);
        ForwardPass.LossSum(_model, _batch, _plan).Backward();
        var gradient = new float[Size];
        int at = 0;
        foreach (Parameter parameter in _model.Parameters)
        {
            float[] part = parameter.Value.Grad?.ToArray<float>() ?? new float[parameter.Value.Count];
            part.CopyTo(gradient, at);
            at += part.Length;
        }

        _model.Parameters.ClearGradients();
        double share = 1.0 / _batch.TargetCount;
        return [.. gradient.Select(value => (float)(value * share))];
    }

    private void Move(ReadOnlySpan<double> vector, double way)
    {
        using var noGrad = new NoGrad();
        int at = 0;
        foreach ((Parameter parameter, float[] weights) in _model.Parameters.Zip(_weights))
        {
            var moved = new float[weights.Length];
            for (int i = 0; i < moved.Length; i++)
            {
                moved[i] = (float)(weights[i] + (way * vector[at++]));
            }

            parameter.Value.CopyFrom(Tensor.From<float>(moved, parameter.Value.Shape));
        }
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    private static void Add(double[] to, double[] what, double times)
    {
        for (int i = 0; i < to.Length; i++)
        {
            to[i] += times * what[i];
        }
    }

    private static void Scale(double[] vector, double times)
    {
        for (int i = 0; i < vector.Length; i++)
        {
            vector[i] *= times;
        }
    }
}
