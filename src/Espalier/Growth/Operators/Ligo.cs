using System.Globalization;
using Espalier.Configuration;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>
/// Grows depth, width or both by a linear map that is learned on batches (LiGO, arXiv 2303.00980): of the weights W_j that old
/// layers j have in one role, layer i gets the sum of w_ij B W_j A^T. The old weights stand still while w, A and B take some steps
/// by Adam against the grown model's loss; then all is multiplied out into plain weights. Every step is charged to the run: forward
/// and backward at the size of the grown model, and the products of the map.
/// </summary>
/// <remarks>
/// <para>
/// There is a w for every role of a layer, weights and biases apart, if layers grow. One map of hidden units serves all that reads or
/// writes the residual stream, embeddings, norms and head included; each layer of the grown model has a map of its heads, for
/// queries, keys, values and what reads them, and one of its feed-forward units. A map of heads mixes the elements of all heads,
/// as the paper does, and starts as copies of whole heads. What does not grow has no map.
/// </para>
/// <para>
/// It starts as <see cref="Net2Net"/> with cyclic copies, of layers by <see cref="Depth"/>, and without noise computes what that
/// computes. A is tied to B, times what <see cref="Net2Net"/> divides by: one over the copies that an old unit had at the start,
/// which stays as it is.
/// </para>
/// <para>
/// A learned mix has no gradients of which an optimizer could remember any: its state is reset, and all weights that the map has
/// made count as new.
/// </para>
/// </remarks>
public sealed record Ligo : WidthOperator
{
    /// <summary>Starts with a new optimizer.</summary>
    public Ligo() => Moments = MomentPolicy.Reset;

    /// <summary>`layers`: the layers to grow to; null to leave them.</summary>
    public int? LayerCount { get; init; }

    /// <summary>`depth`: the layer that each layer is made from before anything is learned; the paper has both.</summary>
    public LayerMapKind Depth { get; init; } = LayerMapKind.Stack;

    /// <summary>`steps`: updates of the map, each on one micro-batch of those to come.</summary>
    public int Steps { get; init; } = 100;

    /// <summary>`learning_rate`: of the map, the same in each update.</summary>
    public double LearningRate { get; init; } = 3e-4;

    /// <summary>
    /// `noise`: how far the start is off plain copies. A layer takes up to this much of each other layer, before all is divided by
    /// its sum; to the row of a new unit comes noise of this length.
    /// </summary>
    public double Noise { get; init; } = 0.03;

    /// <summary>`seed`: of the noise.</summary>
    public ulong Seed { get; init; }

    /// <inheritdoc/>
    protected override string Name => "ligo";

    /// <inheritdoc/>
    protected override IEnumerable<string> Settings =>
    [
        .. LayerCount is int layers ? [string.Create(CultureInfo.InvariantCulture, $"layers {layers}")] : Array.Empty<string>(),
        .. new FormattableString[]
        {
            $"depth {ConfigKeys.Kebab(Depth)}", $"steps {Steps}", $"learning_rate {LearningRate}", $"noise {Noise}", $"seed {Seed}",
        }.Select(setting => setting.ToString(CultureInfo.InvariantCulture)),
    ];

    /// <inheritdoc/>
    public override ModelConfig Grow(ModelConfig model)
    {
        int layers = LayerCount ?? model.Layers;
        NotLess("layers", layers, model.Layers);
        return base.Grow(model) with { Layers = layers };
    }

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    /// <inheritdoc/>
    public override FlopsCount Cost(ModelConfig model, IGrowthCosts costs)
    {
        ModelConfig grown = Grow(model);
        (FlopsCount forward, FlopsCount backward) = LigoMap.Cost(model, grown);
        return ((costs.Batch(grown, LigoMap.PlanOf(model, grown)) + forward + backward) * (grown == model ? 0 : Steps)) + forward;
    }

    /// <inheritdoc/>
    /// <exception cref="UserErrorException">The sizes do not fit, the context has no batches, or learning diverges.</exception>
    public override TrainingState Apply(TrainingState state, IGrowthContext context)
    {
        using IDisposable _ = TensorScope.Suspend();
        using LigoMap map = Start(state.Model);
        Learn(map, state.Model.Config, context);
        ModelConfig config = Grow(state.Model.Config);
        ParameterSet parameters = map.MultipliedOut();
        IOptimizer rule = state.Optimizer.Rule;
        var forgotten = new OptimizerState(rule, parameters.Select(parameter => KeyValuePair.Create(
            parameter.Name,
            new ParameterState(ParameterState.Begin(rule, parameter.Spec, parameters.Device).Slots) { New = map.Changes(parameter.Spec) ? NewUnits.All : null })));
        var grown = new TrainingState(new Model(state.Model.Architecture, config, parameters), forgotten, state.Position);
        state.Dispose();
        return grown;
    }

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after) => AxisMap.Rounds(before, after);

    /// <inheritdoc/>
    protected override void Check(ModelConfig model, ModelConfig grown)
    {
        if (model.HeadGroups != model.Heads && grown.Heads != model.Heads)
        {
            throw new UserErrorException(
                $"num_key_value_heads {model.HeadGroups}: query heads share keys and values, and a map learned for the ones does not fit the others.",
                "Grow by copies: HyperCloning, Net2Net, LEMON; or take a model with as many num_key_value_heads as num_attention_heads.");
        }

        if (Steps < 0)
        {
            throw new UserErrorException($"`steps` {Steps} is less than 0.", "Give the updates of the map, or 0 for its start.");
        }

        if (!(LearningRate > 0 && double.IsFinite(LearningRate)))
        {
            throw new UserErrorException(
                string.Create(CultureInfo.InvariantCulture, $"`learning_rate` {LearningRate} is no number above 0."), "Give one such as 0.0003.");
        }

        if (!(Noise >= 0 && double.IsFinite(Noise)))
        {
            throw new UserErrorException(
                string.Create(CultureInfo.InvariantCulture, $"`noise` {Noise} is no number from 0 on."), "Give one such as 0.03.");
        }

        if (Moments != MomentPolicy.Reset)
        {
            throw new UserErrorException(
                $"`moments` {ConfigKeys.Kebab(Moments)}: what is remembered of old weights says nothing of a learned mix of them.",
                "Use reset.");
        }
    }

    /// <summary>The map that nothing has been learned of.</summary>
    internal LigoMap Start(Model model)
    {
        ModelConfig grown = Grow(model.Config);
        return new LigoMap(
            model, grown, LayerMap.Build(Depth, model.Config.Layers, grown.Layers),
            Growing(model.Config).ToDictionary(kind => kind, kind => Units(kind, model.Config)), Noise, Seed);
    }

    private void Learn(LigoMap map, ModelConfig model, IGrowthContext context)
    {
        (FlopsCount forward, FlopsCount backward) = LigoMap.Cost(model, Grow(model));
        for (int step = 0; step < Steps && map.Matrices.Count > 0; step++)
        {
            using var scope = new TensorScope();
            ModelBatch batch = context.Batch(step);
            double loss = map.Learn(batch, context.Compute, LearningRate);
            context.Charge(map.CostOf(batch) + forward + backward);
            if (double.IsNaN(loss))
            {
                throw new UserErrorException(
                    $"The map of {Name} diverged in its update {step + 1}.", "Give it a lower `learning_rate`.");
            }
        }

        context.Charge(forward);
    }
}
