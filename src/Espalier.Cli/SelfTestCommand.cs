using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.SelfTest;
using Espalier.Torch;

namespace Espalier.Cli;

/// <summary><c>espalier selftest</c>.</summary>
internal static class SelfTestCommand
{
    private const int SomethingFailed = 1;

    public static Verb Create()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var compute = new ComputeOptions();
        var command = new Verb(
            "selftest",
            "Checks that this installation computes right: every operation, a GPT-2 and a BERT forward and backward, and " +
            "training steps, in f32 and bf16, against values computed in double precision.")
        {
            compute.Device, json,
        };
        command.Examples = ["espalier selftest", "espalier selftest --device cuda"];
        command.SetAction(parsed =>
        {
            Device device = compute.DeviceOf(parsed);
            bool asJson = parsed.GetValue(json);
            var checks = new List<SelfTestCheck>();
            foreach (SelfTestCheck check in SelfTestChecks.Run(device))
            {
                checks.Add(check);
                if (!asJson)
                {
                    Console.Out.WriteLine(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{(check.Passed ? "ok    " : "FAILED")} {check.Precision,-5} {check.Name,-36} {check.Deviation:0.0e+00} of {check.Tolerance:0.0e+00}"));
                }
            }

            int failed = checks.Count(check => !check.Passed);
            if (asJson)
            {
                JsonOutput.Print(ToJson(device, checks));
            }
            else
            {
                Console.Out.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"libtorch {Engine.TorchVersion} on {device}\n{checks.Count - failed} passed, {failed} failed"));
            }

            return failed == 0 ? 0 : SomethingFailed;
        });
        return command;
    }

    private static JsonObject ToJson(Device device, List<SelfTestCheck> checks) => new JsonObject
    {
        ["device"] = device.ToString(),
        ["libtorch"] = Engine.TorchVersion,
        ["passed"] = checks.Count(check => check.Passed),
        ["failed"] = checks.Count(check => !check.Passed),
        ["checks"] = new JsonArray([.. checks.Select(check => new JsonObject
        {
            ["name"] = check.Name,
            ["precision"] = check.Precision,
            ["deviation"] = double.IsNaN(check.Deviation) ? null : check.Deviation,
            ["tolerance"] = check.Tolerance,
            ["passed"] = check.Passed,
        })]),
    };
}
