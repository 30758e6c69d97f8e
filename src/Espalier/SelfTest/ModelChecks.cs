using System.Text.Json;
using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.SelfTest;

/// <summary>
/// A tiny GPT-2 and a tiny BERT, forward and backward, and a few training steps, by the code that a training run uses.
/// </summary>
internal static class ModelChecks
{
    // Adam divides by the root of the squares, and so magnifies the rounding of small gradients.
    private const double F32 = 5e-5, F32Trained = 2e-4, Bf16Loss = 2e-2, Bf16Norm = 6e-2, Bf16Gradient = 0.15;

    private const string Gpt2 = "gpt2";

    public static IEnumerable<SelfTestCheck> Run(SelfTestReference reference, Device device) =>
        new[] { new Compute(device), new Compute(device, Bf16: true) }.SelectMany(compute =>
            ForwardAndBackward(Gpt2, reference, compute)
                .Concat(ForwardAndBackward("bert", reference, compute))
                .Concat(Training(reference, compute)));

    private static List<SelfTestCheck> ForwardAndBackward(
        string name, SelfTestReference reference, Compute compute)
    {
        using var scope = new TensorScope();
        Model model = reference.Model(name);
        ModelBatch batch = reference.Batch(name);
        var plan = ForwardPlan.Plain(model.Config.Layers);
        Tensor logits, loss;
        using (Autocast? autocast = compute.LowerProducts())
        {
            logits = ForwardPass.Logits(model, batch.Input, plan);
            loss = ForwardPass.LossSum(model, batch, plan, training: true) * (1.0 / batch.TargetCount);
        }

        if (batch.Positions is not null)
        {
            // At padding they have no meaning.
            logits = logits.Reshape(-1, model.Config.Vocabulary).IndexSelect(0, batch.Positions);
        }

        loss.Backward();

        // The bias of BERT's keys has no true gradient; in GPT-2 it is a part of a larger one.
        return
        [
            Check($"{name}: logits", compute.Bf16, F32, Bf16Norm, [(reference[$"{name}/logits"], logits)]),
            Check($"{name}: loss", compute.Bf16, F32, Bf16Loss, [(reference[$"{name}/loss"], loss)]),
            Check($"{name}: gradients", compute.Bf16, F32, Bf16Gradient, model.Parameters
                .Where(parameter => !parameter.Name.EndsWith("key.bias", StringComparison.Ordinal))
                .Select(parameter => (reference[$"{name}/grad.{parameter.Name}"], parameter.Value.Grad!))),
        ];
    }

    private static List<SelfTestCheck> Training(SelfTestReference reference, Compute compute)
    {
        JsonElement settings = reference.Metadata("settings");
        int steps = (int)Setting("steps"), microBatches = (int)Setting("micro_batches");
        var schedule = new LearningRate(
            new LearningRateConfig
            {
                Peak = Setting("peak"),
                Final = Setting("final") / Setting("peak"),
                Warmup = Duration.Steps((long)Setting("warmup")),
            },
            steps,
            tokensPerStep: 1);
        var optimizer = new AdamW(new AdamWConfig
        {
            Beta1 = Setting("beta1"),
            Beta2 = Setting("beta2"),
            Epsilon = Setting("epsilon"),
            WeightDecay = Setting("weight_decay"),
        });
        var step = new TrainingStep(optimizer, Setting("clip_norm"), compute);

        using var scope = new TensorScope();
        Model model = reference.Model(Gpt2);
        var state = new TrainingState(model, OptimizerState.Begin(optimizer, model.Parameters), new TrainingPosition());
        var losses = new double[steps];
        var norms = new double[steps];
        var rates = new double[steps];
        for (int i = 0; i < steps; i++)
        {
            StepResult result = step.Run(
                state,
                microBatches,
                _ => ForwardPlan.Plain(model.Config.Layers),
                (microBatch, _) => new ModelBatch(Batch("input_ids", i, microBatch), Batch("targets", i, microBatch)),
                _ => 0,
                schedule.At(i));
            (losses[i], norms[i], rates[i]) = (result.Loss, result.GradientNorm, result.LearningRate);
        }

        List<SelfTestCheck> checks =
        [
            OfSteps("losses", "loss", losses, F32, Bf16Loss),
            OfSteps("gradient norms", "gradient_norm", norms, F32 * 10, Bf16Norm),
            OfSteps("learning rates", "learning_rate", rates, F32, F32),
        ];

        // In bfloat16, Adam turns the signs of small gradients into whole steps: only the course can be compared.
        if (!compute.Bf16)
        {
            checks.Add(Trained("weights", "param", parameter => parameter.Value));
            checks.Add(Trained("first moments", "exp_avg", parameter => state.Optimizer[parameter.Name].Slots[AdamW.ExpAvg].Value));
            checks.Add(Trained("second moments", "exp_avg_sq", parameter => state.Optimizer[parameter.Name].Slots[AdamW.ExpAvgSq].Value));
        }

        return checks;

        double Setting(string key) => settings.GetProperty(key).GetDouble();

        Tensor Batch(string kind, int at, int microBatch)
        {
            Tensor all = reference["training/" + kind];
            return all.Narrow(0, at, 1).Narrow(1, microBatch, 1).Reshape(all.Shape[2], all.Shape[3]);
        }

        SelfTestCheck OfSteps(string what, string key, double[] actual, double f32, double bf16) => new(
            $"training: {what}", compute.Bf16 ? "bf16" : "f32",
            SelfTestCheck.Deviates(SelfTestCheck.Values(reference["training/" + key]), actual),
            compute.Bf16 ? bf16 : f32);

        SelfTestCheck Trained(string what, string kind, Func<Parameter, Tensor> actual) => Check(
            $"training: {what}", compute.Bf16, F32Trained, F32Trained,
            state.Model.Parameters.SelectMany(parameter => Comparable(
                parameter.Name, reference[$"training/{kind}.{parameter.Name}"], actual(parameter))));
    }

    /// <summary>The bias of the keys has no true gradient: AdamW divides its noise by itself.</summary>
    private static IEnumerable<(Tensor Expected, Tensor Actual)> Comparable(string name, Tensor expected, Tensor actual)
    {
        if (!name.EndsWith("attn.c_attn.bias", StringComparison.Ordinal))
        {
            return [(expected, actual)];
        }

        long width = expected.Shape[0] / 3;
        return new[] { 0, 2 * width }.Select(start => (expected.Narrow(0, start, width), actual.Narrow(0, start, width)));
    }

    private static SelfTestCheck Check(
        string name, bool mixedPrecision, double f32, double bf16, IEnumerable<(Tensor Expected, Tensor Actual)> pairs) =>
        new(name, mixedPrecision ? "bf16" : "f32", SelfTestCheck.LargestDeviation(pairs), mixedPrecision ? bf16 : f32);
}
