<?php

// It is not a page.
if (PHP_SAPI !== 'cli') {
    http_response_code(404);
    exit;
}

$_GET = ['to' => '<Skye>'];
ob_start();
require __DIR__ . '/../index.php';
$page = ob_get_clean();

if ($page !== "Ferry &lt;Skye&gt; from PHP 8\n") {
    fwrite(STDERR, "the page is $page");
    exit(1);
}
