using Espalier.Torch;

namespace Espalier.Models;

/// <summary>The way from tokens to loss through a plan: the only loop over its layers. What it costs: <see cref="Ledger"/>.</summary>
public static class ForwardPass
{
    /// <summary>What the last layer makes of the input: the vocabulary head and tasks build on it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="input">B sequences of T tokens.</param>
    /// <param name="plan">What runs.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <returns>(B, T, C).</returns>
    public static Tensor Hidden(Model model, ModelInput input, ForwardPlan plan, bool training = false) =>
        Through(model, input, plan, training);

    /// <summary>What the last layer makes of tokens that follow on those that a decoder has read.</summary>
    /// <inheritdoc cref="Hidden"/>
    internal static Tensor HiddenOfNext(Model model, ModelInput input, ForwardPlan plan, Decoder decoder) =>
        Through(model, input, plan, training: false, decoder: decoder);

    /// <summary>The scores of every vocabulary entry at every position, without dropout.</summary>
    /// <inheritdoc cref="Hidden"/>
    /// <returns>(B, T, V).</returns>
    public static Tensor Logits(Model model, ModelInput input, ForwardPlan plan) =>
        HeadLogits(model, Hidden(model, input, plan), plan);

    /// <summary>
    /// The scores that the vocabulary head gives every entry. Not an overload of <see cref="Logits"/>: token ids are a tensor
    /// too.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="hidden">(..., C), from <see cref="Hidden"/>.</param>
    /// <param name="plan">What ran.</param>
    /// <returns>(..., V).</returns>
    public static Tensor HeadLogits(Model model, Tensor hidden, ForwardPlan plan) =>
        model.Architecture.Logits(Rest(model, plan, training: false), hidden);

    /// <summary>The losses in nats, summed over the targets: divided once by all targets of an update, they are its loss.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">What to read and to predict.</param>
    /// <param name="plan">What runs.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <param name="zLoss">
    /// What the gradient counts of each target's log(Z)^2, Z the sum of the exponentials of its scores; the value counts none.
    /// </param>
    /// <returns>A scalar.</returns>
    public static Tensor LossSum(
        Model model, ModelBatch batch, ForwardPlan plan, bool training = false, double zLoss = 0) => Scoped(() =>
        LossSum(model, HiddenAtTargets(model, batch, plan, training), batch, plan, training, zLoss));

    /// <summary>The same with dropout, cut into parts for a backward pass.</summary>
    internal static Tensor LossSum(Model model, ModelBatch batch, ForwardPlan plan, BackwardPass back, double zLoss) => Scoped(() =>
        LossSum(model, AtTargets(model, batch, Through(model, batch.Input, plan, training: true, back)), batch, plan, training: true, zLoss));

    /// <summary>The losses of the vocabulary head, summed over the targets.</summary>
    /// <param name="model">The model.</param>
    /// <param name="hidden_NC">(N, C), from <see cref="HiddenAtTargets"/>.</param>
    /// <param name="batch">What is to be predicted.</param>
    /// <param name="plan">What ran.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <param name="zLoss">What the gradient counts of each target's log(Z)^2.</param>
    /// <returns>A scalar.</returns>
    internal static Tensor LossSum(
        Model model, Tensor hidden_NC, ModelBatch batch, ForwardPlan plan, bool training = false, double zLoss = 0) =>
        model.Architecture.LossSum(
            Rest(model, plan, training, zLoss), hidden_NC, batch.Targets.Reshape(-1));

    /// <summary>What the last layer makes of the input where something is to be predicted.</summary>
    /// <inheritdoc cref="LossSum(Model, ModelBatch, ForwardPlan, bool, double)"/>
    /// <returns>(N, C).</returns>
    internal static Tensor HiddenAtTargets(Model model, ModelBatch batch, ForwardPlan plan, bool training = false) =>
        AtTargets(model, batch, Hidden(model, batch.Input, plan, training));

    private static Tensor AtTargets(Model model, ModelBatch batch, Tensor hidden_BTC)
    {
        Tensor hidden_NC = hidden_BTC.Reshape(-1, model.Config.HiddenSize);
        return batch.Positions is null ? hidden_NC : hidden_NC.IndexSelect(0, batch.Positions);
    }

    private static Tensor Through(
        Model model, ModelInput input, ForwardPlan plan, bool training, BackwardPass? back = null, Decoder? decoder = null)
    {
        IArchitecture architecture = model.Architecture;
        Tensor x_BTC = back?.Begin(() => architecture.Embed(RestPart(), input)) ?? Scoped(() => architecture.Embed(RestPart(), input));
        for (int i = 0; i < plan.Depth; i++)
        {
            LayerRun run = plan.Layers[i];
            int index = i;
            x_BTC = Next(x_BTC, run, x => run.Tokens is TokenSubset tokens
                ? RunOnSome(model, run, tokens, training, x, input.Lengths)
                : architecture.Layer(decoder?.Layer(run, index) ?? new ModelPart(model, run, training), x, input.Lengths));
        }

        return Next(x_BTC, null, x => architecture.Finish(RestPart(), x));

        ModelPart RestPart() => decoder?.Rest() ?? Rest(model, plan, training);

        Tensor Next(Tensor x, LayerRun? run, Func<Tensor, Tensor> part) => back?.Then(x, run, part) ?? Only(x, part);
    }

    private static ModelPart Rest(Model model, ForwardPlan plan, bool training, double zLoss = 0) =>
        new(model, plan, training) { ZLoss = zLoss };

    private static Tensor RunOnSome(
        Model model, LayerRun run, TokenSubset tokens, bool training, Tensor x_BTC, Tensor? lengths_B)
    {
        // Rows are counted through B x T.
        (int sequences, int length, long width) = ((int)x_BTC.Shape[0], (int)x_BTC.Shape[1], x_BTC.Shape[2]);
        long[] positions = tokens.Positions(sequences, length);
        int kept = positions.Length / sequences;
        long[] rowNumbers = [.. positions.Select((position, i) => (i / kept * length) + position)];
        Tensor rows = Tensor.From<long>(rowNumbers, [rowNumbers.Length], x_BTC.Device);
        Tensor all = x_BTC.Reshape(-1, width);
        Tensor seen_BKC = all.IndexSelect(0, rows).Reshape(sequences, kept, width);
        var layer = new ModelPart(model, run, training)
        {
            Positions = Tensor.From<long>(positions, [sequences, kept], x_BTC.Device),
        };
        Tensor made_BKC = model.Architecture.Layer(layer, seen_BKC, lengths_B is null ? null : Kept(lengths_B, positions, kept));
        return all.IndexCopy(0, rows, made_BKC.Reshape(-1, width)).Reshape(sequences, length, width);
    }

    /// <summary>How many of the kept positions lie before the padding.</summary>
    private static Tensor Kept(Tensor lengths_B, long[] positions, int kept)
    {
        long[] lengths = lengths_B.ToArray<long>();
        long[] left = [.. lengths.Select((length, row) => positions.AsSpan(row * kept, kept).ToArray().LongCount(p => p < length))];
        return Tensor.From<long>(left, [left.Length], lengths_B.Device);
    }

    /// <summary>Nothing of a layer outlives it but its output, and what its backward pass has kept.</summary>
    private static Tensor Only(Tensor x, Func<Tensor, Tensor> layer)
    {
        Tensor made = Scoped(() => layer(x));
        if (!ReferenceEquals(made, x))
        {
            x.Dispose();
        }

        return made;
    }

    /// <summary>What a body makes, without what it made on the way.</summary>
    internal static Tensor Scoped(Func<Tensor> body)
    {
        using var scope = new TensorScope();
        return scope.Keep(body());
    }
}
