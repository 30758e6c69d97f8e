using Espalier.Bench.Step;
using Espalier.Torch;

foreach (StepSetting setting in args.Length > 0 ? [.. args.Select(StepSetting.Parse)] : StepSetting.Standard)
{
    foreach (bool bf16 in new[] { true, false })
    {
        using var espalier = new EspalierStep(setting, Device.Cpu, bf16);
        espalier.Run(3);
        double best = double.MaxValue, loss = 0;
        for (int i = 0; i < 5; i++)
        {
            (double seconds, loss) = espalier.Run(4);
            best = Math.Min(best, seconds / 4);
        }
        Console.WriteLine($"{setting} {(bf16 ? "bf16" : "f32")} {best * 1e3:F1} ms/step {setting.FlopsPerStep.Total / best / 1e9:F0} GFLOP/s loss {loss:F4}");
    }
}
