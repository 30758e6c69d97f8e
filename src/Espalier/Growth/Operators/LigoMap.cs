using System.Globalization;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>
/// The linear map of <see cref="Ligo"/>, and how it learns: of the weights W_j that old layers j have in one role, layer i of the
/// grown model gets the sum of w_ij B W_j A^T. There is a matrix w for every role, if layers grow, and a matrix of units for every
/// kind of axis that grows: one for all hidden units, and for every layer of its own one of heads and one of feed-forward units.
/// </summary>
internal sealed class LigoMap : IDisposable
{
    // The source's bound on the gradient.
    private const double ClipNorm = 1;

    private readonly ModelConfig _grown;
    private readonly IReadOnlyList<ParameterSpec> _specs;
    private readonly Dictionary<string, ParameterSpec> _before = [];

    // By role: the weights of all old layers, a layer a row; outside of the layers as they are.
    private readonly Dictionary<string, Tensor> _old = [];

    // By kind: one over the copies of each old unit at the start.
    private readonly Dictionary<AxisKind, Tensor> _shares = [];

    private readonly OrderedDictionary<string, LearnedMatrix> _matrices = [];
    private long _steps;

    /// <summary>The map at its start. The model's weights are read, and stay as they are.</summary>
    /// <param name="old">The model to grow.</param>
    /// <param name="grown">What it becomes.</param>
    /// <param name="depth">The layer that each layer of the grown model is made from at first.</param>
    /// <param name="units">By kind that grows, the unit that each unit of the grown model is made from at first.</param>
    /// <param name="noise">How far the start is off that.</param>
    /// <param name="seed">Of the noise.</param>
    public LigoMap(
        Model old, ModelConfig grown, IReadOnlyList<int> depth, IReadOnlyDictionary<AxisKind, AxisMap> units, double noise, ulong seed)
    {
        using var noGrad = new NoGrad();
        Device device = old.Parameters.Device;
        (_grown, Plan, _specs) = (grown, PlanOf(old.Config, grown), old.Architecture.Parameters(grown));
        foreach (IGrouping<string, Parameter> role in old.Parameters.GroupBy(parameter => parameter.Spec.Role))
        {
            _before.Add(role.Key, role.First().Spec);
            _old.Add(role.Key, role.First().Spec.Layer is null ? role.First().Value.Detach() : Rows(role));
        }

        if (grown.Layers > old.Config.Layers)
        {
            foreach (string role in _before.Values.Where(spec => spec.Layer is not null).Select(spec => spec.Role))
            {
                Add(DepthName(role), random => LayerStart(depth, old.Config.Layers, noise, random));
            }
        }

        foreach ((AxisKind kind, AxisMap map) in units)
        {
            var before = new Axis(kind, AxisSide.None, old.Config.UnitsOf(kind), kind == AxisKind.Heads ? old.Config.HeadSize : 1);
            Axis after = before with { Units = grown.UnitsOf(kind) };
            _shares.Add(kind, Shares(map, before, after, device));
            foreach (string name in kind == AxisKind.Hidden
                ? [UnitsName(kind, null)] : Enumerable.Range(0, grown.Layers).Select(layer => UnitsName(kind, layer)))
            {
                Add(name, random => UnitStart(map, before, after, noise, random));
            }
        }

        void Add(string name, Func<CounterRandom, float[,]> start)
        {
            // The streams of what other operators draw end in 0 and 1.
            float[,] values = start(new CounterRandom(seed, RandomPurpose.Growth, _matrices.Count, microBatch: 2));
            _matrices.Add(name, new LearnedMatrix(Tensor.From<float>(
                values.Cast<float>().ToArray(), [values.GetLength(0), values.GetLength(1)], device)));
        }
    }

    /// <summary>All that learns, by name.</summary>
    public IReadOnlyDictionary<string, LearnedMatrix> Matrices => _matrices;

    /// <summary>What runs on a batch.</summary>
    public ForwardPlan Plan { get; }

    /// <summary>What runs on a batch. What lies outside of the layers learns where hidden units grow.</summary>
    /// <param name="old">The model to grow.</param>
    /// <param name="grown">What it becomes.</param>
    public static ForwardPlan PlanOf(ModelConfig old, ModelConfig grown) =>
        ForwardPlan.Plain(grown.Layers) with { TrainsRest = grown.HiddenSize > old.HiddenSize };

    /// <summary>Whether a parameter is more than the old one as it was.</summary>
    public bool Changes(ParameterSpec spec) => DepthOf(spec) is not null || spec.Axes.Any(axis => UnitsOf(axis, spec) is not null);

    /// <summary>The weights of the grown model, through which a gradient reaches all that learns.</summary>
    public ParameterSet Weights() => new(_specs.Select(spec => new Parameter(spec, WeightsOf(spec))));

    /// <summary>The weights of the grown model as plain ones.</summary>
    public ParameterSet MultipliedOut()
    {
        using IDisposable _ = TensorScope.Suspend();
        using var noGrad = new NoGrad();
        return new ParameterSet(_specs.Select(spec =>
        {
            using var scope = new TensorScope();
            return new Parameter(spec, ParameterSet.Trainable(scope.Keep(WeightsOf(spec).Clone())));
        }));
    }

    /// <summary>
    /// What the products of <see cref="Weights"/> cost, by the same walk. Backward, each costs once more for the gradient of its
    /// matrix, and once more where what the matrix is multiplied with depends on another. What lies outside of the layers counts
    /// as head: mostly it is the token embedding.
    /// </summary>
    /// <param name="old">The model to grow.</param>
    /// <param name="grown">What it becomes.</param>
    public static (FlopsCount Forward, FlopsCount Backward) Cost(ModelConfig old, ModelConfig grown)
    {
        var before = old.Architecture.Parameters(old).DistinctBy(spec => spec.Role).ToDictionary(spec => spec.Role);
        FlopsCount forward = default, backward = default;
        foreach (ParameterSpec spec in old.Architecture.Parameters(grown))
        {
            ParameterSpec source = before[spec.Role];
            double size = source.Elements;
            bool isLearned = false;
            if (spec.Layer is not null && grown.Layers > old.Layers)
            {
                Add(2 * old.Layers * size);
            }

            foreach ((Axis from, Axis to) in source.Axes.Zip(spec.Axes).Where(axis => axis.First.Units != axis.Second.Units))
            {
                Add(2 * to.Units * to.UnitSize * size);
                size *= (double)to.Units / from.Units;
            }

            void Add(double flops)
            {
                FlopsCount product = spec.Layer is null ? new(0, 0, flops) : new(flops, 0, 0);
                forward += product;
                backward += product * (isLearned ? 2 : 1);
                isLearned = true;
            }
        }

        return (forward, backward);
    }

    /// <summary>What a batch costs, forward and backward, in the grown model.</summary>
    public FlopsCount CostOf(ModelBatch batch) => Ledger.ForwardAndBackward(
        _grown, Plan, (int)batch.Input.Ids.Shape[0], (int)batch.Input.Length, batch.Predictions);

    /// <summary>One update of all matrices by the loss on a batch, without dropout.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="compute">Where; the map itself is always multiplied in single precision.</param>
    /// <param name="rate">The learning rate.</param>
    /// <returns>The mean loss before the update, in nats a target. Nothing changes if it or the gradient is not finite; then NaN.</returns>
    public double Learn(ModelBatch batch, Compute compute, double rate)
    {
        using var scope = new TensorScope();
        Tensor loss = LossSum(batch, compute);
        loss.Backward();
        double gradientScale = 1.0 / batch.TargetCount, mean = loss.Item() * gradientScale;
        double norm = Optimizers.GlobalNorm([.. _matrices.Values.Select(matrix => matrix.Value.Grad!)]) * gradientScale;
        if (!double.IsFinite(mean) || !double.IsFinite(norm))
        {
            return double.NaN;
        }

        _steps++;
        foreach (LearnedMatrix matrix in _matrices.Values)
        {
            matrix.Learn(GradientNorm.ClipFactor(norm, ClipNorm) * gradientScale, rate, _steps);
        }

        return mean;
    }

    /// <summary>Frees the tensors, but for those of the old model.</summary>
    public void Dispose()
    {
        foreach (IDisposable tensor in _matrices.Values.Concat<IDisposable>(_shares.Values).Concat(_old.Values))
        {
            tensor.Dispose();
        }
    }

    private static string DepthName(string role) => $"layers {role}";

    private static string UnitsName(AxisKind kind, int? layer) => string.Create(CultureInfo.InvariantCulture, $"{kind} {layer}").TrimEnd();

    private static Tensor Rows(IEnumerable<Parameter> layers)
    {
        using var scope = new TensorScope();
        return scope.Keep(Tensor.Concatenate(
            [.. layers.OrderBy(parameter => parameter.Spec.Layer).Select(parameter => parameter.Value.Reshape(1, -1))], 0));
    }

    /// <summary>1 for the source, and for the others up to the noise; all over their sum, as the source's released code does.</summary>
    private static float[,] LayerStart(IReadOnlyList<int> sources, int before, double noise, CounterRandom random)
    {
        var start = new float[sources.Count, before];
        for (int layer = 0; layer < sources.Count; layer++)
        {
            double[] row = [.. Enumerable.Range(0, before).Select(
                old => old == sources[layer] ? 1 : noise * random.NextDouble((uint)((layer * before) + old)))];
            for (int old = 0; old < before; old++)
            {
                start[layer, old] = (float)(row[old] / row.Sum());
            }
        }

        return start;
    }

    /// <summary>
    /// 1 for the source; to the rows of new units comes normal noise of that length, whatever the width, so that copies do not
    /// learn alike for ever.
    /// </summary>
    private static float[,] UnitStart(AxisMap map, Axis before, Axis after, double noise, CounterRandom random)
    {
        var start = new float[after.Size, before.Size];
        int[] fresh = map.NewElements(after);
        var drawn = new float[fresh.Length * before.Size];
        random.FillNormal(drawn, noise / Math.Sqrt(before.Size));
        for (int i = 0; i < drawn.Length; i++)
        {
            start[fresh[i / before.Size], i % before.Size] = drawn[i];
        }

        foreach ((int element, long source) in map.SourceElements(before, after).Index())
        {
            start[element, source] += 1;
        }

        return start;
    }

    private static Tensor Shares(AxisMap map, Axis before, Axis after, Device device)
    {
        var copies = map.SourceElements(before, after).CountBy(source => source).ToDictionary();
        float[] shares = [.. Enumerable.Range(0, before.Size).Select(element => (float)(1.0 / copies[element]))];
        return Tensor.From<float>(shares, [shares.Length], device);
    }

    private Tensor LossSum(ModelBatch batch, Compute compute)
    {
        var model = Model.Of(_grown, Weights());
        using Autocast? autocast = compute.LowerProducts();
        return ForwardPass.LossSum(model, batch, Plan);
    }

    private LearnedMatrix? DepthOf(ParameterSpec spec) =>
        spec.Layer is null ? null : _matrices.GetValueOrDefault(DepthName(spec.Role));

    private LearnedMatrix? UnitsOf(Axis axis, ParameterSpec spec) => _matrices.GetValueOrDefault(
        UnitsName(axis.Kind, axis.Kind == AxisKind.Hidden ? null : spec.Layer));

    private Tensor WeightsOf(ParameterSpec spec)
    {
        Tensor old = _old[spec.Role];
        Tensor made = (spec.Layer is not int layer ? old
            : DepthOf(spec) is LearnedMatrix layers ? layers.Value.Narrow(0, layer, 1).MatMul(old)
            : old.Narrow(0, layer, 1)).Reshape(_before[spec.Role].Shape);
        for (int place = 0; place < spec.Axes.Count; place++)
        {
            Axis axis = spec.Axes[place];
            if (UnitsOf(axis, spec) is LearnedMatrix units)
            {
                // A tied head reads the last norm through the embedding, which is whole: the norm has the shares in its place.
                bool reads = axis.Side == AxisSide.Input || spec.IsReadByTiedHead;
                made = Mapped(made, place, reads ? units.Value * _shares[axis.Kind] : units.Value);
            }
        }

        return made;
    }

    /// <summary>A weight whose axis is mapped, in each of its parts.</summary>
    private static Tensor Mapped(Tensor weight, int axis, Tensor matrix)
    {
        long[] shape = weight.Shape;
        long before = matrix.Shape[1], parts = shape[axis] / before;
        Tensor mapped = axis == shape.Length - 1
            ? weight.Reshape(-1, before).MatMul(matrix.Transpose(0, 1))
            : matrix.MatMul(weight.Reshape(parts, before, -1));
        shape[axis] = parts * matrix.Shape[0];
        return mapped.Reshape(shape);
    }
}
